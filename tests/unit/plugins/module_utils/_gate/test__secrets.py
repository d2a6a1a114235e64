"""Secrets stay on the page until the moment they are sent."""

from __future__ import annotations

import json

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._secrets import (
    is_sealed,
    scrub,
    seal,
    secrets_in,
    unseal,
    without,
)

GATES = {
    "errors": {"max_ratio": 2, "token": "hush-hush"},
    "latency": {"headers": {"X-Key": "hush"}},
    "thresholds": [
        {"name": "t", "env": {"PASSWORD": "sesame"}, "max": 1},
        {"name": "u", "token": "rumpelstiltskin", "headers": {}},
    ],
}


def test_a_page_that_was_read_shows_no_secret_and_says_what_there_is():
    sealed = seal(GATES)
    assert not any(secret in json.dumps(sealed) for secret in secrets_in(GATES))
    assert is_sealed(sealed)
    assert not is_sealed(GATES)
    assert (sealed["errors"]["max_ratio"], list(sealed["latency"]["headers"])) == (2, ["X-Key"])
    assert sealed["thresholds"][0]["max"] == 1


def test_the_gate_opens_the_seals_with_the_page_itself():
    assert unseal(seal(GATES), GATES, "shop") == GATES
    assert unseal(GATES, None, "shop") == GATES, "what is not sealed is taken as it is"


def test_a_secret_that_is_not_on_the_page_is_told_by_its_place():
    page = {**GATES, "thresholds": GATES["thresholds"][:1]}
    with pytest.raises(InputError, match=r"the secret threshold u\.token is not to be found on the page"):
        unseal(seal(GATES), page, "shop")


def test_a_secret_is_taken_out_of_whatever_is_given_back_the_longest_first():
    assert scrub("token abcdef, key abcd", ["abcdef", "abcd"]) == "token ***, key ***"
    result = {"message": "said hush-hush", "evidence": {"thresholds": ["hush", "open sesame"]}, "ticks": 3}
    assert without(result, secrets_in(GATES)) == {
        "message": "said ***",
        "evidence": {"thresholds": ["***", "open ***"]},
        "ticks": 3,
    }
