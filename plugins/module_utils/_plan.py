# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a strategy, as the user names or spells it, to the list of stages of a rollout. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypedDict

from ._errors import InputError
from ._schema import did_you_mean, is_list, refuse_unknown, unknown
from ._units import percent, seconds, shown


class Stage(TypedDict):
    """One stage of a rollout.

    ``split``: the candidate's share in per cent, over 0 up to 100. ``dwell``: seconds that the stage lasts at least.
    ``timeout``: seconds after which a stage that is still held does what ``on_timeout`` says: ``pause``, ``rollback``
    or ``promote``.
    """

    split: float
    dwell: float
    timeout: float
    on_timeout: str


ON_TIMEOUT = ("pause", "rollback", "promote")
# From the judge's table of defaults.
DEFAULTS: dict[str, Any] = {"dwell": 60, "timeout": 900, "on_timeout": "pause"}

NAMED: dict[str, tuple[float, ...]] = {
    "all_at_once": (100.0,),
    "canary": (5.0, 25.0, 50.0, 100.0),
    "linear": (20.0, 40.0, 60.0, 80.0, 100.0),
}
# A bucket of the finest split, 1 of 10,000 users, is 0.01 %; a step below 1 % would make hundreds of stages.
SMALLEST_SPLIT = 0.01
SMALLEST_STEP = 1.0
SETTINGS = tuple(DEFAULTS)

KNOWN = f"Known strategies: {', '.join(sorted(NAMED))}, or a list of stages such as [5, 25, 100]"
_LIST_AS_TEXT = re.compile(r"\[(.*)\]|(.*,.*)", re.DOTALL)


def stages(
    strategy: Any,
    defaults: Optional[Mapping[str, Any]] = None,
    *,
    what: str = "strategy",
    what_defaults: str = "defaults",
) -> list[Stage]:
    """The stages of ``strategy``, splits rising strictly, the last one 100.

    ``strategy`` is one of

    - a name: ``all_at_once``, ``canary`` or ``linear``;
    - a dictionary ``{name: <name>}`` or ``{stages: [...]}``, with ``dwell``, ``timeout`` and ``on_timeout`` for its
      stages, and for ``linear`` a ``step`` in per cent;
    - a list of stages, each a per cent figure or a dictionary ``{split, dwell, timeout, on_timeout}``;
    - a string with such a list of per cent figures, as ``-e strategy=5,25,100`` hands it over.

    What a stage leaves out comes from the strategy's dictionary, then from ``defaults`` (same three keys), then from
    ``DEFAULTS``. Durations are as in :func:`_units.seconds`. The result is accepted as a strategy and gives itself.

    Raises InputError naming ``what`` (or ``what_defaults``), the place in it, what was given, and the way out.
    """
    settings = {**DEFAULTS, **_settings(defaults or {}, what_defaults)}
    splits: Sequence[Any]
    place = what
    if isinstance(strategy, Mapping):
        splits, place, own = _from_mapping(strategy, what)
        settings.update(own)
    elif isinstance(strategy, str):
        splits = _from_text(strategy, what)
    elif is_list(strategy):
        splits = strategy
    else:
        raise InputError(f"{what}: {shown(strategy)} is neither a name nor a list of stages. {KNOWN}")
    return _checked([_stage(stage, settings, f"{place}[{i}]") for i, stage in enumerate(splits)], place)


def _from_text(text: str, what: str) -> Sequence[Any]:
    name = text.strip()
    if name in NAMED:
        return NAMED[name]
    listed = _LIST_AS_TEXT.fullmatch(name)
    if listed:
        return [item.strip() for item in (listed.group(1) or listed.group(2) or "").split(",") if item.strip()]
    raise InputError(f"{what}: unknown strategy {shown(text)}{did_you_mean(name, NAMED) or '.'} {KNOWN}")


def _from_mapping(strategy: Mapping[str, Any], what: str) -> tuple[Sequence[Any], str, dict[str, Any]]:
    """Its splits, the place they are at, and its settings."""
    known = ["name", "step", "stages", *SETTINGS]
    refuse_unknown(strategy, known, what)
    if ("name" in strategy) == ("stages" in strategy):
        raise InputError(
            f"{what}: give either 'name' or 'stages', not {'both' if 'name' in strategy else 'neither'}. {KNOWN}"
        )
    own = _settings({key: strategy[key] for key in SETTINGS if key in strategy}, what)
    if "stages" in strategy:
        if "step" in strategy:
            raise InputError(f"{what}.step: belongs to the strategy linear; leave it out beside 'stages'")
        if not is_list(strategy["stages"]):
            raise InputError(f"{what}.stages: {shown(strategy['stages'])} is not a list; write it such as [5, 25, 100]")
        return strategy["stages"], f"{what}.stages", own
    name = strategy["name"]
    if not isinstance(name, str) or name not in NAMED:
        raise InputError(f"{what}.name: unknown strategy {shown(name)}{did_you_mean(name, NAMED) or '.'} {KNOWN}")
    if "step" not in strategy:
        return NAMED[name], what, own
    if name != "linear":
        raise InputError(f"{what}.step: belongs to the strategy linear; leave it out for {name}, or list the stages")
    step = percent(strategy["step"], f"{what}.step")
    if not SMALLEST_STEP <= step <= 100:
        raise InputError(
            f"{what}.step: {shown(strategy['step'])} is out of range; it must be from {SMALLEST_STEP:g} to 100 %"
        )
    return _rising_by(step), what, own


def _rising_by(step: float) -> list[float]:
    # 33.333333 three times is meant to end at 100, not to add a fourth stage for the last millionth.
    whole = int(100 / step - 1e-6)
    return [*(round(step * i, 6) for i in range(1, whole + 1)), 100.0]


def _settings(given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Checked ``dwell``, ``timeout`` and ``on_timeout``, those that are given."""
    if not isinstance(given, Mapping):
        raise InputError(f"{what}: {shown(given)} is not a dictionary; known keys: {', '.join(SETTINGS)}")
    refuse_unknown(given, SETTINGS, what)
    settings: dict[str, Any] = {
        key: seconds(given[key], f"{what}.{key}") for key in ("dwell", "timeout") if key in given
    }
    if "on_timeout" in given:
        policy = given["on_timeout"]
        if not isinstance(policy, str) or policy not in ON_TIMEOUT:
            raise InputError(f"{what}.on_timeout: {shown(policy)} is not known{unknown(policy, ON_TIMEOUT, 'values')}")
        settings["on_timeout"] = str(policy)
    if settings.get("timeout") == 0:
        raise InputError(f"{what}.timeout: must be more than 0 seconds")
    return settings


def _stage(given: Any, settings: Mapping[str, Any], what: str) -> Stage:
    if isinstance(given, Mapping):
        refuse_unknown(given, ("split", *SETTINGS), what)
        if "split" not in given:
            raise InputError(
                f"{what}: the key 'split' is missing; a stage is a per cent figure or {{split: 25, dwell: 2m}}"
            )
        settings = {**settings, **_settings({key: given[key] for key in SETTINGS if key in given}, what)}
        given, what_split = given["split"], f"{what}.split"
    else:
        what_split = what
    split = percent(given, what_split)
    if not SMALLEST_SPLIT <= split <= 100:
        raise InputError(
            f"{what_split}: {shown(given)} is out of range; a split must be from {SMALLEST_SPLIT:g} to 100 %, the "
            "candidate's share of the traffic"
        )
    if settings["timeout"] < settings["dwell"]:
        raise InputError(
            f"{what}: its timeout of {settings['timeout']:g} s is under its dwell of {settings['dwell']:g} s: it "
            "could never be promoted; raise timeout or lower dwell"
        )
    return {
        "split": split,
        "dwell": settings["dwell"],
        "timeout": settings["timeout"],
        "on_timeout": settings["on_timeout"],
    }


def _checked(planned: list[Stage], what: str) -> list[Stage]:
    if not planned:
        raise InputError(f"{what}: there are no stages; write at least [100]. {KNOWN}")
    splits = [stage["split"] for stage in planned]
    for i, (before, after) in enumerate(zip(splits, splits[1:])):
        if after <= before:
            raise InputError(
                f"{what}: stages must rise strictly, but stage {i + 2} ({after:g} %) does not rise over stage {i + 1} "
                f"({before:g} %): {_listed(splits)}. Leave one out or put them in order"
            )
    if splits[-1] != 100:
        raise InputError(
            f"{what}: the last stage is {splits[-1]:g} %, but a rollout ends with all traffic on the candidate; add a "
            f"last stage of 100: {_listed([*splits, 100.0])}"
        )
    return planned


def _listed(splits: Sequence[float]) -> str:
    return "[" + ", ".join(f"{split:g}" for split in splits) + "]"
