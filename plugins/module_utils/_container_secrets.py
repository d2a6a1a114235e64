# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a container as files on its VM, which only root and the container's own user can read.

They lie on the disk and not in memory, because the engine starts a container again after a boot, when nobody is there
to bring them. The folder above is closed to everybody but root.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from ._engine import Engine
from ._errors import EngineError, InputError

FOLDER = "/var/lib/sluice/secrets"
# So that nobody gets far who reads the label and guesses.
_ROUNDS = 200_000


def fingerprint(secrets: Mapping[str, str], salt: str) -> str:
    """Tells whether secrets have changed, and not what they are. ``salt``: the release. Pure."""
    text = json.dumps(dict(secrets), sort_keys=True).encode()
    return hashlib.pbkdf2_hmac("sha256", text, salt.encode(), _ROUNDS).hex()[:16]


def folder_of(container: str) -> str:
    """Where on the VM the secrets of ``container`` are."""
    return f"{FOLDER}/{container}"


class Place:
    """The folder with a folder for each container."""

    def __init__(self, folder: str = FOLDER) -> None:
        self.folder = Path(folder)

    def holds(self, container: str, secrets: Mapping[str, str]) -> bool:
        """Whether exactly these secrets are there already."""
        place = self.folder / container
        try:
            return {path.name: path.read_text(encoding="utf-8") for path in place.iterdir()} == dict(secrets)
        except (OSError, UnicodeDecodeError):
            return False

    def write(self, engine: Engine, container: str, secrets: Mapping[str, str]) -> None:
        """Put them there anew, readable for the user that the container runs as. Raises EngineError, InputError."""
        user, group = owner(engine, container)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.forget(container)
        place = self.folder / container
        place.mkdir(mode=0o700)
        for name, secret in secrets.items():
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchown(descriptor, user, group)
                file.write(secret)
        os.chown(place, user, group)
        place.chmod(0o500)

    def forget(self, container: str) -> None:
        shutil.rmtree(self.folder / container, ignore_errors=True)


def owner(engine: Engine, container: str) -> tuple[int, int]:
    """Numbers of the user and the group that ``container`` runs as, as the VM counts them."""
    config = engine.get(f"/containers/{quote(container)}/json")
    user, _, group = str(config["Config"].get("User") or "0").partition(":")
    passwd = {} if user.isdigit() else _table(engine, container, "/etc/passwd")
    groups = _table(engine, container, "/etc/group") if group and not group.isdigit() else {}
    numbers = numbers_of(user, group, passwd, groups, container)
    remapped = None if config["HostConfig"].get("UsernsMode") == "host" else _offset(engine.get("/info"))
    return (numbers[0] + remapped[0], numbers[1] + remapped[1]) if remapped else numbers


def numbers_of(
    user: str, group: str, passwd: Mapping[str, list[str]], groups: Mapping[str, list[str]], container: str
) -> tuple[int, int]:
    """From a user and a group, by name or number, and what the image's own tables say of them. Pure."""
    entry = passwd.get(user)
    if not user.isdigit() and entry is None:
        raise InputError(
            f"the user {user} of {container} is not in its /etc/passwd, so its secrets cannot be made readable for it; "
            "write container.user as a number"
        )
    if group and not group.isdigit() and group not in groups:
        raise InputError(f"the group {group} of {container} is not in its /etc/group; write it as a number")
    number = int(user) if entry is None else int(entry[2])
    if group:
        return number, int(group) if group.isdigit() else int(groups[group][2])
    return number, int(entry[3]) if entry else 0


def _offset(info: Mapping[str, Any]) -> Optional[tuple[int, int]]:
    """What an engine with ``userns-remap`` adds to the numbers of users: the name of its data's folder tells."""
    if not any("name=userns" in str(option) for option in info.get("SecurityOptions") or []):
        return None
    found = re.search(r"/(\d+)\.(\d+)/?$", str(info.get("DockerRootDir", "")))
    return (int(found[1]), int(found[2])) if found else None


def _table(engine: Engine, container: str, path: str) -> dict[str, list[str]]:
    """``/etc/passwd`` or ``/etc/group`` of the container, by name; empty where it has none."""
    try:
        packed = engine.ask("GET", f"/containers/{quote(container)}/archive", {"path": path})
    except EngineError as error:
        if error.details.get("status") == 404:
            return {}
        raise
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.next()
        content = archive.extractfile(member) if member else None
        lines = content.read().decode("utf-8", "replace").splitlines() if content else []
    return {line.split(":")[0]: line.split(":") for line in lines if line.count(":") >= 3}
