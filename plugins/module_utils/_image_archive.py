# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an image archive (``docker save``), read without an engine, and how little of it an engine needs."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from ._errors import InputError

HEX_DIGITS = 64


@dataclass(frozen=True)
class Archive:
    """An image in an archive.

    ``image_id`` (``sha256:…``) is the digest of the image's configuration (OCI image specification). ``layers`` are the
    digests of its uncompressed layers, the lowest first, as an engine shows them in ``RootFS.Layers``; ``members`` are
    the names of the same layers in the archive.
    """

    path: str
    image: str
    image_id: str
    config: str
    layers: tuple[str, ...]
    members: tuple[str, ...]
    # Whether the archive holds other images too.
    alone: bool


def read(path: str, image: str) -> Archive:
    """The image ``image`` (``name:tag``) in the archive at ``path``; InputError where it is not in it.

    ``manifest.json`` names the configuration as ``<hex>.json`` or, since Docker 25, ``blobs/sha256/<hex>``.
    """
    try:
        with tarfile.open(path) as archive:
            manifest: list[dict[str, Any]] = _load(archive, "manifest.json")
            for entry in manifest:
                digest = PurePosixPath(entry["Config"]).name.removesuffix(".json")
                if image in (entry.get("RepoTags") or []) and len(digest) == HEX_DIGITS:
                    layers = _load(archive, entry["Config"])["rootfs"]["diff_ids"]
                    if len(layers) != len(entry["Layers"]):
                        raise ValueError(f"{len(entry['Layers'])} layers where its configuration has {len(layers)}")
                    return Archive(
                        path,
                        image,
                        f"sha256:{digest}",
                        entry["Config"],
                        tuple(layers),
                        tuple(entry["Layers"]),
                        len(manifest) == 1,
                    )
            tags = [tag for entry in manifest for tag in entry.get("RepoTags") or []]
    except FileNotFoundError:
        raise InputError(f"image archive {path} does not exist; write it with: docker save -o {path} {image}") from None
    except (tarfile.TarError, KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path} is not an image archive ({error}); write it with: docker save -o {path} {image}"
        ) from error
    raise InputError(f"image archive {path} holds {', '.join(tags) or 'no tagged image'}, but not {image}")


def check_sum(path: str, wanted: Optional[str] = None) -> str:
    """The SHA-256 of the archive, where one is ``wanted`` or told by ``<path>.sha256``; InputError if it is another."""
    beside = Path(f"{path}.sha256")
    place = "deploy.sha256"
    try:
        if wanted is None:
            if not beside.exists():
                return ""
            place = str(beside)
            wanted = (beside.read_text(encoding="utf-8").split() or [""])[0].lower()
        digest = hashlib.sha256()
        with Path(path).open("rb") as archive:
            while block := archive.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"image archive {path} cannot be checked: {error}") from error
    if digest.hexdigest() != wanted:
        raise InputError(
            f"image archive {path} has the SHA-256 {digest.hexdigest()}, and {place} says {wanted}: it is not what was "
            "meant, or not all of it; get it again, or its sum"
        )
    return wanted


def shared_layers(layers: Sequence[str], images: Iterable[Sequence[str]]) -> int:
    """How many of the lowest ``layers`` an engine has that holds ``images``, each the layers of one.

    An engine knows a layer by the chain of all layers below it, so only a common beginning counts.
    """
    longest = 0
    for present in images:
        same = 0
        for wanted, there in zip(layers, present):
            if wanted != there:
                break
            same += 1
        longest = max(longest, same)
    return longest


def write_rest(archive: Archive, skip: int, path: str) -> None:
    """Write ``archive`` to ``path`` without its lowest ``skip`` layers, and with nothing that other images need."""
    entry = {"Config": archive.config, "RepoTags": [archive.image], "Layers": list(archive.members)}
    with tarfile.open(archive.path) as source, tarfile.open(path, "w") as target:
        for name in dict.fromkeys((archive.config, *archive.members[skip:])):
            _copy(source, target, name)
        manifest = json.dumps([entry]).encode()
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        target.addfile(member, io.BytesIO(manifest))


def _load(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return json.load(member)


def _copy(source: tarfile.TarFile, target: tarfile.TarFile, name: str) -> None:
    # Engines up to 24 write a layer that occurs twice as a symbolic link, which this follows.
    content = source.extractfile(name)
    if content is None:
        raise InputError(f"{source.name!s}: {name} is not a file; write the archive anew with docker save")
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    target.addfile(member, content)
