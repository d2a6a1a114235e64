"""The gate's loop in this process, on real HAProxy processes: what a playbook runs, in ticks that are not worth one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._lines import Observation, Watch
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import GateLoop
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Series, Settings, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sources import (
    bucket_totals,
    error_totals,
    reading,
)
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_tick
from gate_lab import Site

COLORS = {"candidate": "green", "stable": "blue"}
SERVERS = {"candidate": ["green1", "green2"], "stable": ["blue1"]}
TICK = 0.25


class DirectGate:
    """Judges green of a site; ``lines`` is the tape, ``said`` what a person would have read."""

    def __init__(
        self,
        site: Site,
        settings: Settings,
        *,
        thresholds: Sequence[Threshold] = (),
        series: Optional[Mapping[str, Series]] = None,
        at: Optional[Mapping[int, Callable[[], object]]] = None,
        policies: Optional[Mapping[str, Mapping[str, str]]] = None,
        carry: Optional[Mapping[str, Any]] = None,
        judge: type[Judge] = Judge,
    ) -> None:
        """``at``: what is to happen before the look with that number, the first one being 0."""
        self.site = site
        self.lines: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._settings = settings
        self._thresholds = {threshold.name: threshold for threshold in thresholds}
        self._series = series or {}
        self._at = at or {}
        self._looks = 0
        self._judge = judge(
            settings,
            names=Names("green", "blue"),
            thresholds=thresholds,
            servers=SERVERS,
            policies=policies,
            carry=carry,
        )
        self._reference = (carry or {}).get("reference") or {}

    def run(self) -> dict[str, Any]:
        watch = Watch(
            "shop stage 1 (50 %)",
            [balancer.name for balancer in self.site.balancers],
            SERVERS,
            lease=30.0,
            concurrent=isinstance(self._judge, Judge),
            reference=self._reference,
        )
        loop = GateLoop(
            watch,
            self._judge,
            self._observe,
            record=lambda line, _seconds: self.lines.append(line),
            clock=time.monotonic,
            sleep=time.sleep,
            say=self.said.append,
        )
        return loop.run()

    def _observe(self, line: Optional[dict[str, Any]], _seconds: float, due: Sequence[str]) -> Observation:
        self._at.get(self._looks, lambda: None)()
        self._looks += 1
        if line is not None:
            self.lines.append(line)
        ask = {"errors": error_totals, "latency": bucket_totals}
        return Observation(
            balancers={balancer.name: self._tick(str(balancer.socket)) for balancer in self.site.balancers},
            thresholds={name: reading(self._thresholds[name], colors=COLORS) for name in due},
            totals={gate: ask[gate](series, COLORS, SERVERS) for gate, series in self._series.items()},
        )

    def _tick(self, socket: str) -> dict[str, Any]:
        given = {
            "service": "shop",
            "socket": socket,
            "release_id": None,
            "latency": bool(self._settings.latency) and "latency" not in self._series,
            "deployed": False,
            **dict.fromkeys(("state_dir", "run_dir", "config_dir"), "/nonexistent"),
        }
        try:
            return haproxy_tick.run(given, False, print)
        except SluiceError as error:
            return {"failed": True, "msg": str(error)}
