# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own tools on a balancer: exactly the files of this version, and nothing else touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.action.balancer_tools import package_files
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.modules.balancer_tools import install

FILES = {"__init__.py": "", "_errors.py": "one = 1\n", "_haproxy/check.py": "two = 2\n"}


def test_a_first_run_writes_all_files_and_a_second_none(tmp_path: Path) -> None:
    first = install(str(tmp_path), FILES, check_mode=False)
    assert first["changed"]
    assert first["written"] == sorted(FILES)
    for name, text in FILES.items():
        assert (tmp_path / "sluice_bluegreen" / name).read_text() == text
    second = install(str(tmp_path), FILES, check_mode=False)
    assert not second["changed"]
    assert second["diff"]["before"] == second["diff"]["after"]


def test_another_version_replaces_what_differs_and_removes_what_it_no_longer_has(tmp_path: Path) -> None:
    install(str(tmp_path), {**FILES, "_old.py": "gone\n"}, check_mode=False)
    (tmp_path / "sluice_bluegreen" / "notes.txt").write_text("somebody's\n")
    (tmp_path / "other.py").write_text("somebody's\n")
    result = install(str(tmp_path), {**FILES, "_errors.py": "one = 11\n"}, check_mode=False)
    assert (result["written"], result["removed"]) == (["_errors.py"], ["_old.py"])
    assert not (tmp_path / "sluice_bluegreen" / "_old.py").exists()
    assert (tmp_path / "sluice_bluegreen" / "notes.txt").exists()
    assert (tmp_path / "other.py").exists()


def test_check_mode_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    result = install(str(tmp_path / "new"), FILES, check_mode=True)
    assert result["changed"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "a/../b.py", "data.json", "a.py\n"])
def test_a_path_outside_of_the_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="Not the files of a Python package"):
        install(str(tmp_path), {name: ""}, check_mode=False)


def test_the_collections_utilities_run_as_a_package_of_their_own(tmp_path: Path) -> None:
    install(str(tmp_path), package_files(), check_mode=False)
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            "import sluice_bluegreen._haproxy.check as check, sluice_bluegreen._lease_expired; "
            "assert not any(name.split('.')[0].startswith('ansible') for name in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
