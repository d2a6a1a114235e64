"""An image read from both forms of archive that engines write, and the part of it that an engine lacks."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._image_archive import (
    check_sum,
    read,
    shared_layers,
    write_rest,
)
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "ab" * 32
LAYERS = ["sha256:base", "sha256:libraries", "sha256:app"]


def archive(path: Path, members: dict[str, Any], links: dict[str, str] | None = None) -> str:
    """A tar of these members: text as it is, anything else as JSON; ``links`` are symbolic."""
    with tarfile.open(path, "w") as tar:
        for name, value in members.items():
            content = value.encode() if isinstance(value, str) else json.dumps(value).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, to in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE
            member.linkname = to
            tar.addfile(member)
    return str(path)


def image(config: str = f"{DIGEST}.json", tags: list[str] | None = None, layers: list[str] = LAYERS) -> dict[str, Any]:
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": config, "RepoTags": tags or ["shop:v1"], "Layers": names}]
    return {
        **dict(zip(names, layers)),
        config: {"rootfs": {"diff_ids": layers}},
        "manifest.json": manifest,
    }


@pytest.mark.parametrize("config", [f"{DIGEST}.json", f"blobs/sha256/{DIGEST}"])
def test_both_forms_of_archive_give_id_and_layers(tmp_path: Path, config: str) -> None:
    found = read(archive(tmp_path / "shop.tar", image(config, ["shop:v1", "shop:latest"])), "shop:v1")
    assert (found.image_id, list(found.layers), found.alone) == (f"sha256:{DIGEST}", LAYERS, True)


def test_an_archive_of_another_version_is_refused_and_its_content_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "shop.tar", image())
    with pytest.raises(InputError, match="holds shop:v1, but not shop:v2"):
        read(path, "shop:v2")


def test_a_missing_archive_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist; write it with: docker save -o .*none\.tar shop:v1"):
        read(str(tmp_path / "none.tar"), "shop:v1")


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x00" * 2000])
def test_something_else_than_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not an image archive"):
        read(str(path), "shop:v1")


@pytest.mark.parametrize(
    "members",
    [
        {"other.json": []},
        {"manifest.json": "no JSON"},
        {"manifest.json": {"Config": "x"}},
        {**image(), f"{DIGEST}.json": {}},
        {**image(), f"{DIGEST}.json": {"rootfs": {"diff_ids": LAYERS[:1]}}},
        {name: value for name, value in image().items() if name != f"{DIGEST}.json"},
    ],
    ids=["no manifest", "no JSON", "no list", "no layers", "too few layers", "no configuration"],
)
def test_a_tar_that_is_not_whole_is_refused(tmp_path: Path, members: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is not an image archive"):
        read(archive(tmp_path / "shop.tar", members), "shop:v1")


@given(st.lists(st.sampled_from("abc")), st.lists(st.lists(st.sampled_from("abc"))))
def test_only_a_common_beginning_is_shared(layers: list[str], images: list[list[str]]) -> None:
    shared = shared_layers(layers, images)
    assert shared == max((n for n in range(len(layers) + 1) if any(i[:n] == layers[:n] for i in images)), default=0)


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_the_rest_of_an_archive_is_an_archive_with_the_upper_layers_only(tmp_path: Path, skip: int) -> None:
    members = image()
    members["other.tar"] = "of another image"
    members["manifest.json"] = [*members["manifest.json"], {"Config": "c", "RepoTags": ["x:1"], "Layers": []}]
    whole = read(archive(tmp_path / "shop.tar", members), "shop:v1")
    write_rest(whole, skip, str(tmp_path / "rest.tar"))
    rest = read(str(tmp_path / "rest.tar"), "shop:v1")
    assert (rest.image_id, rest.layers, rest.alone) == (whole.image_id, whole.layers, True)
    with tarfile.open(tmp_path / "rest.tar") as tar:
        layers = {n: f.read().decode() for n in tar.getnames() if n.endswith("layer.tar") and (f := tar.extractfile(n))}
    assert layers == {f"{number}/layer.tar": LAYERS[number] for number in range(skip, 3)}


def test_a_layer_that_is_a_link_to_one_that_is_left_out_is_written_as_itself(tmp_path: Path) -> None:
    members = image(layers=["sha256:empty", "sha256:empty"])
    del members["1/layer.tar"]
    path = archive(tmp_path / "shop.tar", members, links={"1/layer.tar": "../0/layer.tar"})
    write_rest(read(path, "shop:v1"), 1, str(tmp_path / "rest.tar"))
    with tarfile.open(tmp_path / "rest.tar") as tar:
        content = tar.extractfile("1/layer.tar")
        assert content is not None
        assert content.read() == b"sha256:empty"


def test_an_archive_has_the_sum_that_the_page_or_the_file_beside_it_says(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(b"image")
    right = hashlib.sha256(b"image").hexdigest()
    assert check_sum(str(path)) == ""
    assert check_sum(str(path), right) == right
    (tmp_path / "shop.tar.sha256").write_text(f"{right}  shop.tar\n")
    assert check_sum(str(path)) == right


def test_an_archive_of_another_sum_is_refused_with_both_and_where_the_wanted_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(b"imag")
    with pytest.raises(InputError, match=r"and deploy\.sha256 says aaaa"):
        check_sum(str(path), "a" * 64)
    for told in ("b" * 64 + "  shop.tar\n", ""):
        (tmp_path / "shop.tar.sha256").write_text(told)
        with pytest.raises(InputError, match=r"shop\.tar\.sha256 says"):
            check_sum(str(path))
