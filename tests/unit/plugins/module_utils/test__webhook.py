"""A webhook is sent until it is taken, within its retries and its time; nothing sleeps here."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Optional, Union

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _webhook
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SourceError

URL = "https://chat.example.com/hooks/hush"
TOLD = {"service": "shop", "phase": "after_promote", "message": "größer"}


class Team:
    """Answers with each of ``answers`` in turn, the last one for good; each answer takes ``takes`` seconds."""

    def __init__(self, *answers: Union[int, str], takes: float = 0.0) -> None:
        self.answers = list(answers)
        self.takes = takes
        self.now = 1000.0
        self.got: list[tuple[float, bytes, dict[str, str]]] = []

    def deliver(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
        assert url == URL
        self.got.append((self.now - 1000, body, dict(headers)))
        self.now += min(self.takes, timeout)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise SourceError(answer)
        return answer, b"said so"

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def send(self, timeout: float = 300, **more: Any) -> Optional[str]:
        webhook = {"url": URL, "retries": 3, **more}
        clock = {"now": lambda: self.now, "clock": lambda: self.now, "sleep": self.sleep}
        return _webhook.send(webhook, TOLD, "r2/after_promote/0/team", timeout, deliver=self.deliver, **clock)


def test_what_is_taken_is_sent_once_as_json_with_its_key() -> None:
    team = Team(204)
    assert team.send() is None
    ((_at, body, headers),) = team.got
    assert json.loads(body) == TOLD
    assert headers == {"Content-Type": "application/json", "Idempotency-Key": "r2/after_promote/0/team"}


def test_it_is_sent_again_with_longer_and_longer_pauses_and_each_attempt_is_signed_anew() -> None:
    team = Team(503, "Connection refused", 429, 200)
    assert team.send(secret="s3cret") is None
    assert [at for at, _body, _headers in team.got] == [0, 1, 3, 7]
    for at, body, headers in team.got:
        digest = hmac.new(b"s3cret", f"{1000 + at:.0f}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Sluice-Signature"] == f"t={1000 + at:.0f},v1={digest}"
    assert len({headers["Idempotency-Key"] for _at, _body, headers in team.got}) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_what_will_not_be_otherwise_is_not_asked_again(status: int) -> None:
    team = Team(status)
    assert team.send() == f"chat.example.com did not take it in 1 attempt: HTTP {status}: said so"


def test_retries_end_and_the_address_which_may_be_a_secret_is_not_told() -> None:
    team = Team("Connection refused")
    assert team.send(retries=2) == "chat.example.com did not take it in 3 attempts: Connection refused"


def test_time_ends_it_before_the_retries_do() -> None:
    team = Team(500, takes=60)
    assert "in 3 attempts: HTTP 500" in str(team.send(timeout=25, retries=20))
    assert team.now - 1000 <= 25


def test_a_token_and_headers_are_sent() -> None:
    team = Team(200)
    assert team.send(token="t0", headers={"X-Key": "k"}) is None
    assert (team.got[0][2]["Authorization"], team.got[0][2]["X-Key"]) == ("Bearer t0", "k")
