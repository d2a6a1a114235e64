"""What systemd is told, by programs of its name that write down what they were told."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lease
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._lease import SystemdTimer


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the programs; what they were told is in ``told``, and ``systemd-run.sh`` is run by the first."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemd-run", "systemctl"):
        program = programs / name
        program.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            f"print(json.dumps([{name!r}, *sys.argv[1:]]), file=open({str(tmp_path / 'told')!r}, 'a'))\n"
            f"script = {str(tmp_path / name)!r} + '.sh'\n"
            "os.path.exists(script) and os.execv('/bin/sh', ['/bin/sh', script])\n"
            "'show' in sys.argv and print(5_000_000)\n"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    (tmp_path / "tools" / "sluice_bluegreen").mkdir(parents=True)
    return tmp_path


def timer(systemd: Path) -> SystemdTimer:
    return SystemdTimer(str(systemd / "tools"), str(systemd))


def told(systemd: Path) -> list[list[str]]:
    path = systemd / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_timer_is_transient_exact_and_tries_until_it_succeeds(systemd: Path) -> None:
    before = time.monotonic()
    timer(systemd).start("sluice-lease-shop-1", 30.0, ["/usr/bin/python3", "-m", "x", "--token", "1"])
    asked, (program, *options) = told(systemd)
    assert asked == ["systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"]
    assert program == "systemd-run"
    assert options[-5:] == ["/usr/bin/python3", "-m", "x", "--token", "1"]
    (startup,) = [option for option in options if option.startswith("--on-startup=")]
    at = float(startup.removeprefix("--on-startup=").removesuffix("s"))
    assert before <= at - 30 + 5 <= time.monotonic() + 0.001, "systemd was started five seconds after the machine"
    assert set(options[:-5]) - {startup} == {
        "--quiet",
        "--collect",
        "--unit=sluice-lease-shop-1",
        "--timer-property=AccuracySec=100ms",
        "--property=Restart=on-failure",
        "--property=RestartSec=3s",
        f"--setenv=PYTHONPATH={systemd}/tools",
    }


def test_the_retries_stay_below_what_systemd_gives_up_at(systemd: Path) -> None:
    timer(systemd).start("u", 30.0, ["x"])
    (seconds,) = [option for option in told(systemd)[1] if option.startswith("--property=RestartSec=")]
    pause = float(seconds.removeprefix("--property=RestartSec=").removesuffix("s"))
    assert 10 / pause < 4, "DefaultStartLimitBurst is 5 starts in 10 seconds"


def test_stopping_one_that_is_gone_is_no_failure(systemd: Path) -> None:
    (systemd / "systemctl.sh").write_text("echo 'Unit not loaded.' >&2; exit 5")
    timer(systemd).stop("sluice-lease-shop-1")
    assert told(systemd) == [["systemctl", "stop", "sluice-lease-shop-1.timer"]]


def test_what_systemd_says_is_in_the_message(systemd: Path) -> None:
    (systemd / "systemd-run.sh").write_text("echo 'Failed to connect to bus' >&2; exit 1")
    with pytest.raises(StateError, match="systemd-run failed, so no lease is held: Failed to connect to bus"):
        timer(systemd).start("u", 30.0, ["x"])


def test_a_systemd_that_says_nothing_is_told_by_its_exit_status(systemd: Path) -> None:
    (systemd / "systemd-run.sh").write_text("exit 3")
    with pytest.raises(StateError, match="systemd-run failed, so no lease is held: exit status 3"):
        timer(systemd).start("u", 30.0, ["x"])


def test_a_systemd_that_hangs_is_a_failure_and_when_stopping_not_even_that(
    systemd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lease, "LIMIT", 0.5)
    for name in ("systemd-run", "systemctl"):
        (systemd / f"{name}.sh").write_text("exec /bin/sleep 60")
    with pytest.raises(StateError, match=r"no lease is held: no answer from systemd within 0\.5 s"):
        timer(systemd).start("u", 30.0, ["x"])
    timer(systemd).stop("u")


def test_a_systemd_that_does_not_say_when_it_was_started_is_a_failure(systemd: Path) -> None:
    (systemd / "systemctl.sh").write_text("echo soon")
    with pytest.raises(StateError, match="so no lease is held: it says 'soon', not microseconds"):
        timer(systemd).start("u", 30.0, ["x"])


def test_a_missing_program_is_a_failure_and_when_stopping_not_even_that(
    systemd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StateError, match="systemctl failed, so no lease is held: No such file or directory"):
        timer(systemd).start("u", 30.0, ["x"])
    timer(systemd).stop("u")


def test_without_systemd_no_lease_is_promised(systemd: Path) -> None:
    with pytest.raises(StateError, match="systemd does not run on this balancer, so no lease can be held"):
        SystemdTimer(str(systemd / "tools"), str(systemd / "nowhere")).start("u", 30.0, ["x"])
    assert told(systemd) == []


def test_without_the_tools_no_lease_is_promised(systemd: Path) -> None:
    with pytest.raises(StateError, match=r"sluice_bluegreen is not on this balancer.*prepare.*sluice\.bluegreen\.site"):
        SystemdTimer(str(systemd / "nowhere"), str(systemd)).start("u", 30.0, ["x"])
    assert told(systemd) == []
