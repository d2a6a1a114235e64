"""The playbook ``sluice.bluegreen.replay``: a page's gates on recorded rollouts, with nothing else around."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from real_ansible import ROOT, run
from site_files import inventory

TAPES = ROOT / "tests" / "unit" / "plugins" / "module_utils" / "_gate" / "tapes"
REPLAY = "sluice.bluegreen.replay"
SOON = {"service": "shop", "replay_dwell": 4}


def test_it_says_when_each_rollout_would_have_been_decided_and_how(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    for name in ("bad_5_per_cent_errors", "good_quiet"):
        shutil.copy(TAPES / f"{name}.jsonl", recorded)
    site = inventory(page__gates={"errors": {"margin": "3pp"}})
    played = run(tmp_path, REPLAY, site, {**SOON, "tape": str(recorded)})
    assert played.status == 0, played.output
    said = " ".join(
        one.msg + str(one.result.get("results", "")) for one in played.of("Tell what would have been decided when")
    )
    assert re.search(r"bad_5_per_cent_errors\.jsonl: rollback after \S+ s \(errors\): ", said), said
    assert re.search(r"good_quiet\.jsonl: promote after \S+ s \(passed\): ", said), said
    assert not played.changed


def test_a_stage_that_the_lab_recorded_is_decided_as_it_was_and_not_at_all_by_a_page_that_wants_more(
    tmp_path: Path,
) -> None:
    tape = TAPES / "lab" / "bad_v3_5_per_cent.jsonl"
    last = json.loads(tape.read_text().splitlines()[-1])["t"]
    for alpha, expected in (
        (0.01, f"rollback after {last} s (errors): "),
        (0.0001, f"pause after {last} s (undecided): "),
    ):
        folder = tmp_path / str(alpha)
        folder.mkdir()
        site = inventory(page__gates={"errors": {"margin": "1.5pp", "alpha": alpha}}, page__tick="3s")
        extra = {"service": "shop", "tape": str(tape), "replay_candidate": "blue", "replay_dwell": 6}
        played = run(folder, REPLAY, site, extra)
        assert played.status == 0, played.output
        assert f"bad_v3_5_per_cent.jsonl: {expected}" in " ".join(played.output.split())


def test_a_tape_that_is_not_there_or_not_named_is_told(tmp_path: Path) -> None:
    for extra, words in (
        ({"tape": str(tmp_path / "nothing.jsonl")}, "nothing.jsonl: cannot be read"),
        ({}, "no tape was named; say which, e.g. -e tape="),
        ({"tape": str(tmp_path)}, "has no tape (*.jsonl). Rollouts leave them on their balancers, in /var/lib/sluice"),
    ):
        played = run(tmp_path, REPLAY, inventory(), {**SOON, **extra})
        assert played.status != 0
        assert words in " ".join(one.msg + str(one.result) for one in played.problems), played.output
