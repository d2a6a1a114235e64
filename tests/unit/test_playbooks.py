"""What a large fleet must not pay for, and what the settings of whoever runs the playbooks must not change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[2] / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_no_play_on_vms_has_the_list_of_all_vms_to_template(playbook: Path) -> None:
    for play in yaml.safe_load(playbook.read_text()):
        service = (play.get("vars") or {}).get("deploy_service")
        assert service is None or "bluegreen_vm_service" in service, f"{play['name']}: it has every server in it"


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_says_itself_whether_one_host_ends_it_for_all(playbook: Path) -> None:
    """ansible.cfg may say it for those that do not."""
    for play in yaml.safe_load(playbook.read_text()):
        assert "hosts" not in play or "any_errors_fatal" in play, play["name"]
