# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal of a service says: stable color, versions, the release in progress, the history. Pure.

State (JSON-ready)::

    {"stable": "blue" or null, "shares": {"blue": 100.0, "green": 0.0}, "generation": int,
     "colors": {"blue": {"version": str, "release_id": str, "warm": bool, "rolled_back": bool, "reversible": bool}
                        or null, "green": ...},
     "release": null or {"release_id", "version", "color", "phase", "stage", "split", "reversible", "owner", "started"},
     "history": [{"release_id", "version", "color", "outcome", "cause", "started", "ended"}, ...],
     "replaced": null or {"by": release id, "stable": "blue" or null, "color": what its color held before},
     "operations": [release ids of releases and rollbacks, oldest first], "steps": int,
     "updated": time of the last event that counted, or null}

``phase`` is ``deploying``, ``deployed``, ``rolling`` or ``paused``; ``stage`` counts passed stages and ``split`` is the
share in per cent of the last of them; ``image`` (``digest`` or ``id`` and more) is there where it was recorded, and
``second_look``, and true, once it went back from 100 % to look again. ``known`` is what its gates found out about the
stable color (:mod:`._gate._known`). ``hook`` is there while one runs, ``hooks`` are
those that went well, each as ``<phase>/<stage, or 0>/<name>``; ``origin`` is the first id of one that was resumed.
``warm``: the color's containers of that version are in place, so that going back to it is a shift. ``kept`` is there
once the color was retired: the VMs, by name, whose containers still run; those of the others are stopped.
``reversible``: whether the version before can still serve after this one did. ``replaced`` is what the last promotion
took the place of, for the release that was promoted here and takes it back, because another balancer refused it.
``generation`` counts commits, ``steps``
the events of the last operation; with ``operations`` they tell which of two journals knows more, without trusting a
clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, Optional

COLORS = ("blue", "green")
HISTORY_LENGTH = 50
OPERATIONS_LENGTH = 100

Event = dict[str, Any]
State = dict[str, Any]


def other(color: str) -> str:
    return COLORS[1 - COLORS.index(color)]


def empty() -> State:
    return {
        "stable": None,
        "shares": {"blue": 0.0, "green": 0.0},
        "generation": 0,
        "colors": {"blue": None, "green": None},
        "release": None,
        "history": [],
        "replaced": None,
        "operations": [],
        "steps": 0,
        "updated": None,
    }


def derive(events: Iterable[Event]) -> State:
    """Replay ``events`` (oldest first). Unknown events are records, not state."""
    state = empty()
    for event in events:
        name, data = event["event"], event.get("data") or {}
        if name in SNAPSHOTS:
            state = {**empty(), **deepcopy(dict(data["state"]))}
        elif name in _HANDLERS:
            _HANDLERS[name](state, event, data)
            _count(state, event)
            state["updated"] = event["at"]
    return state


def _count(state: State, event: Event) -> None:
    operations: list[str] = state["operations"]
    release_id = event["release_id"]
    state["steps"] = state["steps"] + 1 if operations and operations[-1] == release_id else 1
    if release_id in operations:
        operations.remove(release_id)
    operations.append(release_id)
    del operations[:-OPERATIONS_LENGTH]


def unknown_to(theirs: Sequence[str], mine: Sequence[str]) -> list[str]:
    """The operations among ``mine`` that a journal with the operations ``theirs`` has never heard of.

    A journal remembers a number of them only, so what is older than all that it remembers may have been known to it.
    """
    known = set(theirs)
    since = 0
    if len(theirs) >= OPERATIONS_LENGTH:
        since = next((place for place, operation in enumerate(mine) if operation in known), 0)
    return [operation for operation in mine[since:] if operation not in known]


def counts(event: Event) -> bool:
    """Whether an event changes the state; the others are records."""
    return event["event"] in _HANDLERS


def candidate_color(state: State) -> str:
    """The color that the next release goes to: the one that does not serve; blue when nothing does."""
    stable: Optional[str] = state["stable"]
    return other(stable) if stable else COLORS[0]


def _started(state: State, event: Event, data: dict[str, Any]) -> None:
    if state["release"]:
        _close(state, event, "abandoned", f"superseded by release {event['release_id']}")
    state["replaced"] = None
    color = data["color"]
    if state["colors"][color]:
        state["colors"][color]["warm"] = False
        state["colors"][color].pop("kept", None)
    state["release"] = {
        "release_id": event["release_id"],
        "version": data["version"],
        "color": color,
        "phase": "deploying",
        "stage": 0,
        "split": 0.0,
        "reversible": data.get("reversible", True),
        "owner": data.get("owner"),
        "started": event["at"],
    }
    _note_image(state["release"], data)


def _note_image(entry: dict[str, Any], data: dict[str, Any]) -> None:
    if data.get("image"):
        entry["image"] = dict(data["image"])


def _note_known(release: dict[str, Any], data: dict[str, Any]) -> None:
    if data.get("known"):
        release["known"] = data["known"]


def _is_current(state: State, event: Event) -> bool:
    return bool(state["release"]) and state["release"]["release_id"] == event["release_id"]


def _resumed(state: State, event: Event, data: dict[str, Any]) -> None:
    release = state["release"]
    if release and release["release_id"] == data["resumes"]:
        release.setdefault("origin", release["release_id"])
        release.pop("hook", None)
        # An id of its own, so that a late step of the dead process is fenced.
        release.update(release_id=event["release_id"], phase="rolling", owner=data.get("owner"))


def _deployed(state: State, event: Event, data: dict[str, Any]) -> None:
    if _is_current(state, event):
        state["release"]["phase"] = "deployed"
        _note_image(state["release"], data)


def _shift(state: State, event: Event, data: dict[str, Any]) -> None:
    if _is_current(state, event):
        state["release"]["phase"] = "rolling"


def _passed(state: State, event: Event, data: dict[str, Any]) -> None:
    if _is_current(state, event):
        state["release"].update(stage=data["stage"], split=float(data.get("split", 0.0)))
        _note_known(state["release"], data)


def _looked_again(state: State, event: Event, data: dict[str, Any]) -> None:
    """What was passed before the stage that it goes back to, so that one that is resumed begins with that stage."""
    if _is_current(state, event):
        passed = data["passed"]
        state["release"].update(stage=passed["stage"], split=float(passed["split"]), second_look=True)


def _hook_began(state: State, event: Event, data: dict[str, Any]) -> None:
    if _is_current(state, event):
        state["release"]["hook"] = data["hook"]


def _hook_ended(state: State, event: Event, data: dict[str, Any]) -> None:
    if not _is_current(state, event):
        return
    state["release"].pop("hook", None)
    done = state["release"].setdefault("hooks", [])
    if data["outcome"] == "done" and data["hook"] not in done:
        done.append(data["hook"])


def _committed(state: State, event: Event, data: dict[str, Any]) -> None:
    state["shares"] = {color: float(data["shares"].get(color, 0.0)) for color in COLORS}
    state["generation"] += 1


def _paused(state: State, event: Event, data: dict[str, Any]) -> None:
    if _is_current(state, event):
        state["release"]["phase"] = "paused"
        state["release"]["cause"] = data.get("cause")
        _note_known(state["release"], data)


def _promoted(state: State, event: Event, data: dict[str, Any]) -> None:
    if not _is_current(state, event):
        return
    release = state["release"]
    state["replaced"] = {
        "by": release["release_id"],
        "stable": state["stable"],
        "color": state["colors"][release["color"]],
    }
    state["stable"] = release["color"]
    state["colors"][release["color"]] = {
        "version": release["version"],
        "release_id": release["release_id"],
        "warm": True,
        "rolled_back": False,
        "reversible": release["reversible"],
    }
    _note_image(state["colors"][release["color"]], release)
    _close(state, event, "promoted", data.get("cause", ""))


def _rolled_back(state: State, event: Event, data: dict[str, Any]) -> None:
    replaced = state["replaced"]
    if replaced and replaced["by"] == event["release_id"]:
        _take_back(state, event, data.get("cause", ""))
    else:
        _given_up("rolled_back")(state, event, data)


def _take_back(state: State, event: Event, cause: str) -> None:
    """The promotion by the release that says so itself, in the step that has taken its traffic away."""
    replaced, state["replaced"] = state["replaced"], None
    color = state["stable"]
    state["stable"], state["colors"][color] = replaced["stable"], replaced["color"]
    state["history"][-1].update(outcome="rolled_back", cause=cause, ended=event["at"])


def _given_up(outcome: str) -> Any:
    def handler(state: State, event: Event, data: dict[str, Any]) -> None:
        # A rollback has an id of its own, so that it fences the release that it gives up.
        given_up = data.get("gives_up") or event["release_id"]
        if state["release"] and state["release"]["release_id"] == given_up:
            _close(state, event, outcome, data.get("cause", ""))

    return handler


def _reverted(state: State, event: Event, data: dict[str, Any]) -> None:
    left, kept = data["from_color"], data["to_color"]
    state["replaced"] = None
    if state["colors"][kept]:
        state["colors"][kept].pop("kept", None)
    if state["colors"][left]:
        state["colors"][left]["rolled_back"] = True
    state["stable"] = kept
    state["history"].append(
        {
            "release_id": event["release_id"],
            "version": (state["colors"][kept] or {}).get("version"),
            "color": kept,
            "outcome": "reverted",
            "cause": data.get("cause", ""),
            "started": event["at"],
            "ended": event["at"],
        }
    )
    del state["history"][:-HISTORY_LENGTH]


def _restored(state: State, event: Event, data: dict[str, Any]) -> None:
    entry = state["colors"][data["color"]]
    if entry and entry["version"] == data["version"]:
        entry["warm"] = True
        entry.pop("kept", None)


def _retired(state: State, event: Event, data: dict[str, Any]) -> None:
    entry = state["colors"][data["color"]]
    if entry and entry["version"] == data["version"]:
        entry["kept"] = list(data["kept"])
    serves = state["colors"][other(data["color"])]
    if serves and not data.get("reversible", True):
        serves["reversible"] = False


def _settled(state: State, event: Event, data: dict[str, Any]) -> None:
    """Balancers were brought to what the journal says: nothing new, but an operation that all of them know of."""


def _close(state: State, event: Event, outcome: str, cause: str) -> None:
    release = state["release"]
    state["history"].append(
        {
            "release_id": release["release_id"],
            "version": release["version"],
            "color": release["color"],
            "outcome": outcome,
            "cause": cause,
            "started": release["started"],
            "ended": event["at"],
        }
    )
    del state["history"][:-HISTORY_LENGTH]
    state["release"] = None


# Events that carry the whole state: the first line of a journal's new segment, and what a balancer missed.
SNAPSHOTS = ("snapshot", "caught_up")
_HANDLERS = {
    "release_started": _started,
    "release_resumed": _resumed,
    "deployed": _deployed,
    "shift": _shift,
    "stage_passed": _passed,
    "second_look": _looked_again,
    "hook_started": _hook_began,
    "hook": _hook_ended,
    "committed": _committed,
    "paused": _paused,
    "promoted": _promoted,
    "rolled_back": _rolled_back,
    "aborted": _given_up("aborted"),
    "failed": _given_up("failed"),
    "reverted": _reverted,
    "restored": _restored,
    "retired": _retired,
    "settled": _settled,
}
