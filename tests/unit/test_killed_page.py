"""Every command of the operator's page is a playbook that there is, with variables that it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"^\s*\$ (ansible-playbook .*)$", (ROOT / "docs" / "killed.md").read_text(), re.MULTILINE)
READ = "\n".join(path.read_text() for path in (ROOT / "playbooks").rglob("*.yml"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_can_be_given(command: str) -> None:
    match = re.fullmatch(r"ansible-playbook -i inventories/prod sluice\.bluegreen\.(\w+)((?: -e \w+=\S+)*)", command)
    assert match, command
    assert (ROOT / "playbooks" / f"{match[1]}.yml").is_file(), f"there is no playbook {match[1]}"
    for name in re.findall(r"-e (\w+)=", match[2]):
        assert re.search(rf"\b{name} (is defined|\| default\()", READ), f"no playbook reads {name}"


def test_the_page_has_every_way_out() -> None:
    named = {match for command in COMMANDS for match in re.findall(r"sluice\.bluegreen\.(\w+)", command)}
    assert {"status", "release", "abort", "promote", "rollback"} <= named
