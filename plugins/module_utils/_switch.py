# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the container that a color runs to another that is there already: stop, bring secrets, start, wait, tidy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional
from urllib.parse import quote

from . import _container_secrets, _engine_view, _operation
from ._engine import Engine
from ._errors import InputError, StateError
from ._paths import RUN_DIR, ColorPaths


class Steps(NamedTuple):
    """What is to be done with which containers, by name."""

    stop: list[str]
    start: bool
    remove: list[str]


def steps(found: Sequence[Mapping[str, Any]], target: str, keep: Sequence[str], tidy: bool) -> Steps:
    """``found``: the color's containers. What runs now is stopped and stays as a way back; so does ``keep``. Pure.

    What a hook left behind is a way to nowhere, and goes in any case.
    """
    running = [str(one["name"]) for one in found if one["running"]]
    stop = [name for name in running if name != target]
    spared = {target, *keep, *running}
    remove = [str(one["name"]) for one in found if one.get("hook") or (tidy and one["name"] not in spared)]
    return Steps(stop, target not in running, remove)


class Wanted(NamedTuple):
    """``image_id``: what the container must have been made from, empty for anything. ``keep_images``: 0 for all.

    ``expects``: the operation that was seen here last, None for whichever it is.
    """

    service: str
    color: str
    container: str
    release_id: str
    expects: Optional[str] = None
    keep: Sequence[str] = ()
    image: str = ""
    image_id: str = ""
    tidy: bool = True
    keep_images: int = 0
    missing_ok: bool = False
    secrets: Mapping[str, str] = {}
    run_dir: str = RUN_DIR

    @property
    def paths(self) -> ColorPaths:
        return ColorPaths(self.service, self.color, self.run_dir)


def switch(
    engine: Engine,
    wanted: Wanted,
    healthy: Callable[[], Mapping[str, Any]],
    *,
    check: bool = False,
    secrets: Optional[_container_secrets.Place] = None,
) -> dict[str, Any]:
    """Do it, and wait until ``healthy`` returns; raises what that raises. With ``check`` nothing is done.

    A container that does not get healthy keeps running, and what was stopped for it stays stopped: to go back is a
    switch too. Nothing is removed before the container is healthy.
    """
    place = secrets or _container_secrets.Place()
    if check:
        _operation.require(wanted.paths, wanted.release_id, wanted.expects)
        return _plan(engine, wanted, place, check=True).result
    with _operation.alone(engine, wanted.paths):
        # It may have taken long to come here.
        _operation.require(wanted.paths, wanted.release_id, wanted.expects)
        plan = _plan(engine, wanted, place)
        _operation.claim(wanted.paths, wanted.release_id, wanted.expects)
        _change(engine, wanted, plan, place)
    result = plan.result
    if result["runs"]:
        result.update(healthy())
    with _operation.alone(engine, wanted.paths):
        # What is not needed any more is for whoever works here now to say.
        if _operation.last(wanted.paths) != wanted.release_id:
            return {**result, "removed": [], "changed": bool(plan.stop or plan.start)}
        for one in plan.remove:
            _remove(engine, one, place)
        if wanted.tidy and wanted.keep_images:
            result["images_removed"] = _prune(engine, wanted.image, wanted.keep_images)
    result["changed"] = result["changed"] or bool(result["images_removed"])
    return result


class _Plan(NamedTuple):
    """``stop``: names, those that are only started anew among them; ``remove``: containers as they were found."""

    stop: list[str]
    start: bool
    remove: list[dict[str, Any]]
    result: dict[str, Any]


def _plan(engine: Engine, wanted: Wanted, place: _container_secrets.Place, check: bool = False) -> _Plan:
    found = _engine_view.containers(engine, wanted.service, wanted.color)
    target = next((one for one in found if one["name"] == wanted.container), None)
    if target is None and not check and not wanted.missing_ok:
        raise StateError(f"Docker has no container {wanted.container} that could be started; deploy the version again")
    if target and wanted.image_id and target["image_id"] != wanted.image_id:
        raise StateError(
            f"the container {wanted.container} is of image {target['image_id']}, and the release is of "
            f"{wanted.image_id}: another image has taken its name; deploy the version again"
        )
    todo = steps(found, wanted.container, wanted.keep, wanted.tidy)
    stale = bool(wanted.secrets) and not place.holds(wanted.container, wanted.secrets)
    stop = [*todo.stop, *([wanted.container] if stale and not todo.start else [])]
    start = (target is not None or check) and not (target is None and wanted.missing_ok) and (todo.start or stale)
    return _Plan(
        stop,
        start,
        [one for one in found if one["name"] in todo.remove],
        {
            "changed": bool(stop or start or todo.remove),
            "stopped": todo.stop,
            "started": [wanted.container] if start else [],
            "removed": todo.remove,
            "images_removed": [],
            "runs": target is not None,
        },
    )


def _change(engine: Engine, wanted: Wanted, plan: _Plan, place: _container_secrets.Place) -> None:
    for name in plan.stop:
        # As gracefully as the container itself says.
        engine.ask("POST", f"/containers/{quote(name)}/stop", more_time=_engine_view.stop_timeout(engine, name))
    if plan.start:
        if wanted.secrets:
            place.write(engine, wanted.container, wanted.secrets)
        engine.ask("POST", f"/containers/{quote(wanted.container)}/start")


def _remove(engine: Engine, one: Mapping[str, Any], place: _container_secrets.Place) -> None:
    """This very container: by now its name may be that of another one, whose secrets these are then."""
    if engine.has(one["id"]):
        place.forget(one["name"])
        engine.ask("DELETE", f"/containers/{one['id']}", {"v": "1", "force": "1"}, fine=(200, 204, 404, 409))


def _prune(engine: Engine, repository: str, keep: int) -> list[str]:
    if not repository:
        raise InputError("keep_images needs the name of the image; give image too")
    used = [str(one["ImageID"]) for one in engine.get("/containers/json", all="1")]
    names = _engine_view.surplus(_engine_view.images(engine, repository), used, keep)
    for name in names:
        # One that is gone, or that somebody has just taken into use, is no reason to fail a healthy release.
        engine.ask("DELETE", f"/images/{quote(name, safe='/:@')}", fine=(200, 404, 409))
    return names
