"""The id of an image, read from both forms of archive that engines write."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._image_archive import image_id

DIGEST = "ab" * 32


def archive(path: Path, manifest: Any, name: str = "manifest.json") -> str:
    content = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize("config", [f"{DIGEST}.json", f"blobs/sha256/{DIGEST}"])
def test_both_forms_of_archive_give_the_id(tmp_path: Path, config: str) -> None:
    path = archive(tmp_path / "shop.tar", [{"Config": config, "RepoTags": ["shop:v1", "shop:latest"]}])
    assert image_id(path, "shop:v1") == f"sha256:{DIGEST}"


def test_an_archive_of_another_version_is_refused_and_its_content_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "shop.tar", [{"Config": f"{DIGEST}.json", "RepoTags": ["shop:v1"]}])
    with pytest.raises(InputError, match="holds shop:v1, but not shop:v2"):
        image_id(path, "shop:v2")


def test_a_missing_archive_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist; write it with: docker save -o .*none\.tar shop:v1"):
        image_id(str(tmp_path / "none.tar"), "shop:v1")


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x00" * 2000])
def test_something_else_than_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not an image archive"):
        image_id(str(path), "shop:v1")


def test_a_tar_without_a_manifest_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "shop.tar", [], name="other.json")
    with pytest.raises(InputError, match="is not an image archive"):
        image_id(path, "shop:v1")
