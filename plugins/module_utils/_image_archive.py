# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an image archive (``docker save``), read without an engine."""

from __future__ import annotations

import json
import tarfile
from pathlib import PurePosixPath
from typing import Any

from ._errors import InputError

HEX_DIGITS = 64


def image_id(path: str, image: str) -> str:
    """The id (``sha256:…``) of ``image`` (``name:tag``) in the archive at ``path``; InputError where it is not in it.

    The id is the digest of the image's configuration (OCI image specification), which ``manifest.json`` names as
    ``<hex>.json`` or, since Docker 25, ``blobs/sha256/<hex>``.
    """
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile("manifest.json")
            manifest: list[dict[str, Any]] = json.load(member) if member else []
    except FileNotFoundError:
        raise InputError(f"image archive {path} does not exist; write it with: docker save -o {path} {image}") from None
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"{path} is not an image archive ({error}); write it with: docker save -o {path} {image}"
        ) from error
    tags = [tag for entry in manifest for tag in entry.get("RepoTags") or []]
    for entry in manifest:
        if image in (entry.get("RepoTags") or []):
            digest = PurePosixPath(entry["Config"]).name.removesuffix(".json")
            if len(digest) == HEX_DIGITS:
                return f"sha256:{digest}"
    raise InputError(f"image archive {path} holds {', '.join(tags) or 'no tagged image'}, but not {image}")
