"""Balancers as they might have been observed, for the tests of what is decided from them."""

from __future__ import annotations

from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet

SERVERS = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
NOWHERE = {"blue": 0.0, "green": 0.0}
ON_BLUE = {"blue": 100.0, "green": 0.0}
ON_GREEN = {"blue": 0.0, "green": 100.0}


def event(name: str, release_id: str = "r2", /, **data: Any) -> dict[str, Any]:
    return {"event": name, "release_id": release_id, "at": "2026-01-31T12:00:00.000Z", "data": data}


def promoted(release_id: str, version: str, color: str) -> list[dict[str, Any]]:
    return [
        event("release_started", release_id, version=version, color=color),
        event("committed", release_id, shares=_shares(color)),
        event("promoted", release_id),
    ]


def _shares(color: str) -> dict[str, float]:
    return ON_BLUE if color == "blue" else ON_GREEN


V1_ON_BLUE = promoted("r1", "v1", "blue")
V2_ON_GREEN = [*V1_ON_BLUE, *promoted("r2", "v2", "green")]
RETIRED = [*V2_ON_GREEN, event("retired", "r3", color="blue", version="v1", kept=[])]


def journal(events: list[dict[str, Any]], lock: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"state": _state.derive(events), "lock": lock, "lease": None, "damage": []}


def split(
    runtime: dict[str, float], disk: dict[str, float] | None = None, down: tuple[str, ...] = ()
) -> dict[str, Any]:
    names = [name for names in SERVERS.values() for name in names]
    return {
        "runtime": {"shares": runtime},
        "disk": {"shares": disk or runtime, "colors": SERVERS},
        "servers": {name: {"up": name not in down, "color": name.rstrip("12")} for name in names},
    }


def held(release_id: str = "r9", live: bool = True, operation: str = "release") -> dict[str, Any]:
    return {
        "operation": operation,
        "release_id": release_id,
        "owner": "bob@ci",
        "since": "12:00",
        "remaining": 17.0 if live else 0,
        "live": live,
    }


def fleet(
    events: list[dict[str, Any]], runtime: dict[str, float], lock: dict[str, Any] | None = None, **more: Any
) -> Fleet:
    return Fleet(
        "shop",
        {"lb1": journal(events), "lb2": journal(events, lock)},
        {"lb1": split(runtime, **more), "lb2": split(runtime, **more)},
    )


def rolling(**data: Any) -> list[dict[str, Any]]:
    """Release r2 of v2 that passed the stage of 25 % and died in the next."""
    started = event("release_started", version="v2", color="green", **data)
    return [*V1_ON_BLUE, started, event("deployed"), event("shift"), event("stage_passed", stage=2, split=25)]


PAUSED_25 = {"blue": 75.0, "green": 25.0}
