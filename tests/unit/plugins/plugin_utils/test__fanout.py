"""Helper processes: real ones, because that is what they are for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible.utils.display import Display
from ansible.utils.multiprocessing import context
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._fanout import Pool


@pytest.fixture(autouse=True)
def no_other_queue():
    """Helpers give Display a queue of their own; pytest's process must not keep it."""
    before = Display()._final_q
    yield
    assert Display()._final_q is before


def add(numbers):
    return {"sum": sum(numbers), "pid": os.getpid()}


def hang_when_told(question):
    if question == "hang":
        time.sleep(60)
    return {"said": question}


def die(_question):
    os._exit(3)


def test_questions_are_answered_in_processes_that_stay():
    with Pool(limit=10) as pool:
        pool.add("a", add)
        pool.add("b", add)
        first = pool.ask({"a": [1, 2], "b": [3]}, 10)
        second = pool.ask({"a": [5], "b": []}, 10)
    assert (first["a"]["sum"], first["b"]["sum"], second["a"]["sum"]) == (3, 3, 5)
    assert first["a"]["pid"] == second["a"]["pid"]
    assert len({os.getpid(), first["a"]["pid"], first["b"]["pid"]}) == 3


def test_one_that_hangs_is_not_waited_for_and_the_others_go_on():
    with Pool(limit=30) as pool:
        pool.add("slow", hang_when_told)
        pool.add("quick", hang_when_told)
        pool.ask({"quick": "w"}, 10)
        answers = pool.ask({"slow": "hang", "quick": "x"}, 2)
        assert answers["quick"] == {"said": "x"}
        assert answers["slow"]["unreachable"]
        assert answers["slow"]["msg"].startswith("no answer in ")
        again = pool.ask({"slow": "y", "quick": "z"}, 600)
        assert again["quick"] == {"said": "z"}
        assert "unreachable" in again["slow"], f"it was waited for until its attempt was ended: {again['slow']}"


def test_with_patience_one_that_hangs_is_not_waited_for_long_once_another_has_answered():
    with Pool(limit=30) as pool:
        pool.add("slow", hang_when_told)
        pool.add("quick", hang_when_told)
        answers = pool.ask({"slow": "hang", "quick": "x"}, 600, patience=0.3)
        assert answers["quick"] == {"said": "x"}
        assert "unreachable" in answers["slow"], f"it was waited for until its attempt was ended: {answers['slow']}"


def test_with_patience_nobody_is_cut_off_before_one_has_answered():
    def slowly(question):
        time.sleep(0.5)
        return {"said": question}

    with Pool(limit=30) as pool:
        for name in ("a", "b"):
            pool.add(name, slowly)
        answers = pool.ask({"a": 1, "b": 2}, 20, patience=0.1)
    assert answers == {"a": {"said": 1}, "b": {"said": 2}}


def test_one_that_hangs_for_too_long_is_killed_and_started_anew():
    with Pool(limit=0.5) as pool:
        pool.add("slow", hang_when_told)
        answer = pool.ask({"slow": "hang"}, 10)["slow"]
        assert answer == {"failed": True, "msg": "slow: no answer in 0.5 s, so the attempt was ended"}
        assert pool.ask({"slow": "x"}, 10)["slow"] == {"said": "x"}


def test_an_answer_that_comes_too_late_counts_for_the_next_call():
    def slowly(question):
        time.sleep(0.4)
        return {"said": question}

    with Pool(limit=30) as pool:
        pool.add("late", slowly)
        helper = pool._helpers["late"]
        assert pool.ask({"late": 1}, 0.1)["late"]["unreachable"]
        assert helper.connection.poll(10)
        assert pool.ask({"late": 2}, 0.1)["late"] == {"said": 1}
        assert helper.connection.poll(10)
        assert pool.ask({"late": 3}, 5)["late"] == {"said": 3}, "a fresh one is better"


def test_one_that_dies_fails_and_is_started_anew():
    with Pool(limit=10) as pool:
        pool.add("frail", die)
        for _attempt in range(2):
            assert pool.ask({"frail": 1}, 10)["frail"]["failed"]


def test_an_error_is_that_helpers_answer():
    def fail(_question):
        raise ValueError("no such thing")

    with Pool(limit=10) as pool:
        pool.add("a", fail)
        assert pool.ask({"a": 1}, 10)["a"] == {"failed": True, "msg": "ValueError: no such thing"}


def test_nothing_is_left_when_the_pool_is_closed():
    with Pool(limit=10) as pool:
        pool.add("a", add)
        pool.add("b", hang_when_told)
        pid = pool.ask({"a": [1]}, 10)["a"]["pid"]
        pool.ask({"b": "hang"}, 0.1)
    assert not Path(f"/proc/{pid}").exists()
    assert context.active_children() == []


def test_helpers_end_by_themselves_when_the_worker_is_killed(tmp_path):
    """As it happens to a worker of a job that is cancelled: no handler runs, nobody closes anything."""

    def worker():
        pool = Pool(limit=30)
        for name in ("a", "b"):
            pool.add(name, add)
        answers = pool.ask({"a": [1], "b": [1]}, 10)
        (tmp_path / "pids").write_text(" ".join(str(answer["pid"]) for answer in answers.values()))
        time.sleep(60)

    process = context.Process(target=worker)
    process.start()
    deadline = time.monotonic() + 10
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert time.monotonic() < deadline, "the helpers did not start"
        time.sleep(0.02)
    process.kill()
    process.join()
    left = [Path(f"/proc/{pid}") for pid in (tmp_path / "pids").read_text().split()]
    while any(_runs(path) for path in left):
        assert time.monotonic() < deadline, "a helper outlived its worker"
        time.sleep(0.02)


def _runs(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_helper_displays_is_shown_by_the_one_that_asked(monkeypatch):
    def talk(_question):
        Display().display("from the helper")
        return {}

    shown = []
    with Pool(limit=10) as pool:
        pool.add("a", talk)
        # Forked before Display is replaced here, so the helper has the real one.
        pool._send(pool._helpers["a"], None)
        monkeypatch.setattr(Display(), "display", lambda message, *_args, **_kwargs: shown.append(message))
        pool._collect(["a"], {"a"}, 10, {})
    assert shown == ["from the helper"]
