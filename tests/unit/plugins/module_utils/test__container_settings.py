"""A hook's container is given what the page gives the version's, but for what is that container's alone."""

from __future__ import annotations

from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._container_settings import of_command, of_version
from ansible_collections.sluice.bluegreen.plugins.module_utils._page_container import PASSED

ALONE = {"command", "entrypoint", "restart_policy"}


def page(**more: Any) -> dict[str, Any]:
    """Every key that a page may have, and those that are none of the engine's module."""
    own = {"port": 80, "publish": {"blue": 80, "green": 80}, "env": {}, "secrets": {"key": "(sealed)"}}
    return {**dict.fromkeys(PASSED, "x"), **own, "stop_timeout": 5, "networks": [], "volumes": ["a:/a"], **more}


def test_every_setting_of_the_page_reaches_the_hook_but_for_those_of_the_version_alone() -> None:
    assert set(of_version(page(), "shop-blue-v1", False)) == {*PASSED, "stop_timeout"}
    assert set(of_command(page(), "shop-blue-hook", False)) == {*PASSED, "stop_timeout"} - ALONE


def test_each_has_a_folder_of_its_own_for_secrets_beside_the_volumes_of_the_page() -> None:
    given = page()
    for settings, name in ((of_version, "shop-blue-v1"), (of_command, "shop-blue-hook")):
        found = settings(given, name, True)
        assert found["volumes"] == ["a:/a", f"/var/lib/sluice/secrets/{name}:/run/secrets:ro"]
        assert settings(given, name, False)["volumes"] == ["a:/a"]
    assert given["volumes"] == ["a:/a"], "the page stays as it was"


def test_a_hook_is_in_the_networks_of_the_service_and_takes_neither_its_addresses_nor_its_names() -> None:
    fixed = {"ipv4_address": "198.18.0.9", "ipv6_address": "fd00::9", "mac_address": "02:00:00:00:00:09"}
    networks = [{"name": "back", "aliases": ["shop"], "links": ["db"], **fixed}, {"name": "front"}]
    given = page(networks=networks, network_mode="back")
    found = of_command(given, "shop-blue-hook", False)
    assert found["networks"] == [{"name": "back", "links": ["db"]}, {"name": "front"}]
    assert found["network_mode"] == "back"
    assert of_version(given, "shop-blue-v1", False)["networks"] == networks
