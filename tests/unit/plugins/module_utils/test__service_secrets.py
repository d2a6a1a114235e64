"""Secrets of a page stay on the page: a seal stands for them, and is opened where they are needed."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._service_secrets import container_secrets, login, seal

PAGE = {"container": {"secrets": {"key": "hunter2"}}, "deploy": {"login": {"username": "ci", "password": "hunter3"}}}
SERVICE = {
    "name": "shop",
    "gates": {},
    "container": {"port": 80, "secrets": {"key": "hunter2"}},
    "deploy": {"login": {"username": "ci", "password": "hunter3"}},
}


def test_a_sealed_service_has_no_secret_in_it_and_the_page_opens_it_again() -> None:
    sealed = seal(SERVICE)
    assert "hunter" not in str(sealed)
    assert container_secrets(sealed, PAGE) == {"key": "hunter2"}
    assert login(sealed, PAGE) == {"username": "ci", "password": "hunter3"}


def test_what_is_not_sealed_is_taken_as_it_is() -> None:
    assert container_secrets(SERVICE, None) == {"key": "hunter2"}
    assert login({"name": "shop", "deploy": {}}, None) is None


def test_a_secret_that_the_vm_does_not_know_is_named_and_the_release_stops() -> None:
    sealed = seal(SERVICE)
    with pytest.raises(InputError, match=r"the secret container\.secrets\.key is not to be found on the page"):
        container_secrets(sealed, {"container": {}})
    with pytest.raises(InputError, match=r"deploy\.login\.password .* it must be there for the VMs too"):
        login(sealed, None)
