"""The execution environment as ansible-builder makes it, as far as it goes without a base image."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
DEFINITION = ROOT / "execution-environment.yml"


def done(*command: str | Path, **env: str) -> str:
    """What a command printed; it must have gone well."""
    finished = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_build_context_is_made_and_its_python_requirements_can_be_installed(tmp_path: Path) -> None:
    context = tmp_path / "context"
    done(
        BIN / "ansible-builder", "create", "--file", DEFINITION, "--context", context, "--output-filename", "Dockerfile"
    )
    steps = (context / "Dockerfile").read_text()
    definition = yaml.safe_load(DEFINITION.read_text())["dependencies"]
    pinned = [definition[part]["package_pip"] for part in ("ansible_core", "ansible_runner")]
    assert all(pin in steps for pin in pinned), steps
    wanted = yaml.safe_load((context / "_build/requirements.yml").read_text())
    assert [one["name"] for one in wanted["collections"]] == ["sluice.bluegreen", "awx.awx"]

    # What the build runs in the image, on this checkout and what is installed here in the place of those from Galaxy.
    collections = tmp_path / "collections/ansible_collections"
    installed = Path(sysconfig.get_path("purelib"), "ansible_collections")
    found_here = {"sluice/bluegreen": ROOT, **{name: installed / name for name in ("community/docker", "awx/awx")}}
    for name, folder in found_here.items():
        (collections / name).parent.mkdir(parents=True)
        (collections / name).symlink_to(folder)
    found = tmp_path / "requirements.txt", tmp_path / "bindep.txt"
    done(
        BIN / "python",
        context / "_build/scripts/introspect.py",
        "introspect",
        tmp_path / "collections",
        "--write-pip",
        found[0],
        "--write-bindep",
        found[1],
    )
    assert "openssh-client [platform:dpkg]" in found[1].read_text(), "its system packages are not found"

    needed = [line.partition("#")[0].strip() for line in found[0].read_text().splitlines()]
    assert {"docker", "requests", "awxkit"} <= set(needed), "what the collections beside this one need is not found"
    target = tmp_path / "site"
    quiet = ("--quiet", "--no-compile", "--disable-pip-version-check")
    done(BIN / "python", "-m", "pip", "install", *quiet, "--target", target, *pinned, *filter(None, needed))
    version = "import ansible, ansible_runner; print(ansible.__version__, ansible.__file__)"
    told = done(BIN / "python", "-c", version, PYTHONPATH=str(target))
    assert told.split() == [pinned[0].partition("==")[2], str(target / "ansible/__init__.py")]


def test_the_pins_are_those_that_this_collection_is_tested_with() -> None:
    pins = (ROOT / "requirements.txt").read_text() + (ROOT / "tests/requirements.txt").read_text()
    for part in ("ansible_core", "ansible_runner"):
        assert yaml.safe_load(DEFINITION.read_text())["dependencies"][part]["package_pip"] in pins
