# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine has of a service: its containers and its images. Pure, but for the questions themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote

from ._engine import Engine
from ._errors import EngineError

LABEL = "sluice.bluegreen."
RUNNING = ("running", "restarting", "paused")
# What Docker gives a container that says nothing of its own.
STOP_TIMEOUT = 10.0


def containers(engine: Engine, service: str, color: Optional[str] = None) -> list[dict[str, Any]]:
    """The containers of the service, of one color where it is named, by their names."""
    labels = [f"{LABEL}service={service}"] + ([f"{LABEL}color={color}"] if color else [])
    listed = engine.get("/containers/json", all="1", filters={"label": labels})
    return sorted((container(entry) for entry in listed), key=lambda found: str(found["name"]))


def container(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the engine's list in our words."""
    labels = entry.get("Labels") or {}
    own = {key[len(LABEL) :]: value for key, value in labels.items() if key.startswith(LABEL)}
    return {
        "id": str(entry["Id"]),
        "name": str(entry["Names"][0]).lstrip("/"),
        "color": own.get("color"),
        "version": own.get("version"),
        "release_id": own.get("release_id"),
        "hook": own.get("hook"),
        "running": entry["State"] in RUNNING,
        "image": own.get("image"),
        "image_id": entry["ImageID"],
    }


def stop_timeout(engine: Engine, name: str) -> float:
    """Seconds that a container has to end by itself."""
    seconds = engine.get(f"/containers/{quote(name)}/json")["Config"].get("StopTimeout")
    return STOP_TIMEOUT if seconds is None else float(seconds)


def owner(engine: Engine, name: str) -> str:
    """The service of the container of this name; empty where there is none, or it is nobody's."""
    try:
        labels = engine.get(f"/containers/{quote(name)}/json")["Config"].get("Labels") or {}
    except EngineError as error:
        if error.details.get("status") == 404:
            return ""
        raise
    return str(labels.get(f"{LABEL}service") or "")


def images(engine: Engine, repository: str, layers: bool = False) -> list[dict[str, Any]]:
    """The images of ``repository``, the newest first; with ``layers`` all images that there are, with theirs."""
    found = []
    for entry in engine.get("/images/json"):
        names = [
            name for name in [*(entry.get("RepoTags") or []), *(entry.get("RepoDigests") or [])] if "<none>" not in name
        ]
        own = [name for name in names if of_repository(name, repository)]
        if own or layers:
            image: dict[str, Any] = {
                "id": entry["Id"],
                "names": own,
                "created": entry["Created"],
                "others": len(names) - len(own),
            }
            if layers:
                image["layers"] = engine.get(f"/images/{entry['Id']}/json")["RootFS"].get("Layers") or []
            found.append(image)
    return sorted(found, key=lambda image: (-int(image["created"]), str(image["id"])))


def of_repository(name: str, repository: str) -> bool:
    """Whether ``name`` (``repository:tag`` or ``repository@digest``) is of ``repository``."""
    bare = name.split("@")[0]
    if "@" not in name and ":" in bare.rsplit("/", 1)[-1]:
        bare = bare.rsplit(":", 1)[0]
    return _short(bare) == _short(repository)


def _short(repository: str) -> str:
    """As the engine writes it: what is on Docker's own registry goes without its name."""
    for prefix in ("docker.io/library/", "index.docker.io/", "docker.io/"):
        if repository.startswith(prefix):
            return repository[len(prefix) :]
    return repository


def surplus(found: Sequence[Mapping[str, Any]], used: Sequence[str], keep: int) -> list[str]:
    """The names to take from images that are neither among the ``keep`` newest nor ``used`` by a container.

    ``found``: the service's images, the newest first; ``used``: ids of images. What is in use counts among those kept.
    """
    free = [image for image in found if image["id"] not in used]
    spared = max(0, keep - (len(found) - len(free)))
    return [name for image in free[spared:] for name in image["names"]]
