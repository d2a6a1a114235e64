"""Records the tapes of tests/unit/plugins/module_utils/_gate/tapes: real HAProxy processes, real servers, real load.

Run it where an HAProxy is installed (or named by ``HAPROXY``): ``python tests/integration/gate/record_tapes.py``, with
names of tapes for some of them only.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings
from direct_gate import DirectGate
from gate_lab import ROOT, Site

TAPES = ROOT / "tests" / "unit" / "plugins" / "module_utils" / "_gate" / "tapes"
SECONDS = 12.0
TICK = 0.5


class Patient(Judge):
    """Never decides, so that the tape goes on to its end."""

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().tick(line), "verdict": "hold", "cause": "undecided"}


def fail(site: Site, every: int, *names: str) -> None:
    for name in names or site.apps:
        site.apps[name].fail_every = every


def slow(site: Site, seconds: float, *names: str) -> None:
    for name in names or site.apps:
        site.apps[name].delay = seconds


# What happens before the look with that number.
Script = Mapping[int, Callable[[Site], object]]
GREEN = ("green1", "green2")
ROLLOUTS: dict[str, Script] = {
    "good_quiet": {0: lambda site: site.load(4)},
    "good_errors_on_both": {0: lambda site: (fail(site, 50), site.load(4))},
    "good_incident_on_both": {
        0: lambda site: site.load(4),
        6: lambda site: fail(site, 4),
        14: lambda site: fail(site, 0),
    },
    "good_as_quick": {0: lambda site: (slow(site, 0.004), site.load(6))},
    "bad_5_per_cent_errors": {0: lambda site: (fail(site, 20, *GREEN), site.load(4))},
    "bad_errors_after_a_while": {0: lambda site: site.load(4), 8: lambda site: fail(site, 5, *GREEN)},
    "bad_3_times_as_slow": {0: lambda site: (slow(site, 0.004), slow(site, 0.012, *GREEN), site.load(6))},
    "bad_goes_down": {0: lambda site: site.load(2), 8: lambda site: [site.apps[name].stop() for name in GREEN]},
    "unclear_one_machine": {0: lambda site: (fail(site, 5, "green2"), site.load(4))},
    "unclear_no_load": {},
}


def record(name: str, script: Script) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            gate = DirectGate(
                site,
                Settings(latency=("p50", "p90", "p99"), tick=TICK, dwell=1.0, timeout=SECONDS),
                judge=Patient,
                at={look: lambda happens=happens: happens(site) for look, happens in script.items()},
            )
            gate.run()
        finally:
            site.stop()
    path = TAPES / f"{name}.jsonl"
    path.unlink(missing_ok=True)
    for line in gate.lines:
        _tape.append(path, line)
    print(f"{path.name}: {len(gate.lines)} ticks")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ROLLOUTS:
        record(chosen, ROLLOUTS[chosen])
