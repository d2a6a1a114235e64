"""Rollouts in a closed loop: the shipped judges decide stage by stage, and the split follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from plugins.module_utils._gate._judge import Judge
from plugins.module_utils._gate._settings import Settings
from plugins.module_utils._gate._threshold_judge import ThresholdJudge
from plugins.module_utils._gate._verdict import at_timeout, look_again
from plugins.module_utils._plan import stages

from .traffic import TICK, Traffic

QUANTILES = ("p50", "p90", "p99")


@dataclass(frozen=True)
class Release:
    """How a rollout ended: ``promoted``, ``rolled back`` or ``held``, with the cause, after ``seconds`` in all."""

    outcome: str
    cause: str
    seconds: float
    split: float
    second_look: bool = False
    """Whether it went back from 100 % to look again."""


def release(traffic: Traffic, strategy: Any = "canary") -> Release:
    """Roll out with the judge's defaults, errors and latency both gated; a stage that is held to its end pauses.

    As in the role ``rollout``, the stage at 100 % may go back once to the stage before it, with the evidence so far.
    """
    began = 0.0
    looked = False
    carry: Optional[dict[str, Any]] = None
    servers = {"candidate": traffic.candidates, "stable": traffic.stables}
    plan = stages(strategy)
    number = 0
    while number < len(plan):
        stage = plan[number]
        number += 1
        split = stage["split"]
        settings = Settings(
            latency=QUANTILES, dwell=stage["dwell"], timeout=stage["timeout"], on_timeout=stage["on_timeout"]
        )
        kind = Judge if split < 100 else ThresholdJudge
        judge = kind(settings, servers=servers, carry=carry)
        at = 0.0
        while True:
            at += TICK
            result = judge.tick(traffic.line(began + at, at, split / 100.0))
            if split == 100 and number > 1 and not looked:
                result = look_again(result, settings)
            if result.get("outcome") == "second_look":
                looked = True
                number -= 2
                break
            if result["verdict"] == "rollback":
                return Release("rolled back", result["cause"], began + at, split, looked)
            if result["verdict"] == "promote":
                break
            if at >= settings.timeout:
                ended = at_timeout(result, settings.on_timeout)
                return Release("held", ended["held_for"], began + at, split, looked)
        carry = judge.carry()
        began += at
    return Release("promoted", "passed", began, 100.0, looked)
