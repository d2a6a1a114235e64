"""What a large fleet must not pay for."""

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
