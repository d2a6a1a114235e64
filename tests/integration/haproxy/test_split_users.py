# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split by user on running balancers: 10,000 users, rising shares, reloads, and what a hand does to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config, _report
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from haproxy_process import PATIENCE, HAProxy, free_port
from role_template import servers, write

COLORS = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
STABLE = {"blue": 100.0, "green": 0.0}
SPLIT = {"by": "user", "cookie": "uid"}
USERS = [f"u{number:05d}" for number in range(10_000)]
BATCH = 250


@pytest.fixture
def balancers(tmp_path: Path, program: str) -> Iterator[list[HAProxy]]:
    """Two of them; servers answer with the first letter of their color."""
    ports = {"blue": [free_port(), free_port()], "green": [free_port(), free_port()]}
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        found.append(HAProxy(folder, program))
        write(found[-1], {"name": "shop", "servers": servers(**ports), "split": SPLIT}, STABLE)
    answers = "".join(
        f"frontend {color}{port}\n    bind 127.0.0.1:{port}\n"
        f"    http-request return status 200 content-type text/plain string {color[0]}\n"
        for color, some in ports.items()
        for port in some
    )
    (found[0].conf_dir / "zz-servers.cfg").write_text(answers)
    for balancer in found:
        balancer.start()
    yield found
    for balancer in found:
        balancer.stop()


def ask(port: int, users: Sequence[str], path: str = "/", header: str = "Cookie: uid=%s") -> str:
    """One letter a user, in their order, over as few connections as it takes."""
    letters = ""
    while len(letters) < len(users):
        # A connection may be closed between two requests at any time, and the rest is asked for on the next one.
        some = ask_once(port, users[len(letters) :], path, header)
        assert some, f"no answer to {users[len(letters)]}"
        letters += some
    return letters


def ask_once(port: int, users: Sequence[str], path: str, header: str) -> str:
    letters = ""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        for start in range(0, len(users), BATCH):
            some = users[start : start + BATCH]
            requests = [f"GET {path} HTTP/1.1\r\nHost: shop\r\n{header % user}\r\n\r\n" for user in some]
            peer.sendall("".join(requests).encode())
            received = b""
            # A head, an empty line, and one letter of body each.
            while received.count(b"\r\n\r\n") < len(some) or received.endswith(b"\r\n\r\n"):
                chunk = peer.recv(262144)
                if not chunk:
                    break
                received += chunk
            answered = "".join(part[:1].decode() for part in received.split(b"\r\n\r\n")[1:])
            letters += answered
            if len(answered) < len(some):
                break
    return letters


def to(balancer: HAProxy, green: float) -> None:
    shift(balancer.runtime, "shop", split_weights(COLORS, {"blue": 100.0 - green, "green": green}))


def test_nobody_moves_back_the_share_is_right_and_balancers_agree(balancers: list[HAProxy]) -> None:
    before = "b" * len(USERS)
    assert ask(balancers[0].listen, USERS[:500]) == before[:500], "before a stage everybody has the stable color"
    for green in (1.0, 5.0, 25.0, 50.0, 100.0):
        for balancer in balancers:
            to(balancer, green)
        now = ask(balancers[0].listen, USERS)
        assert abs(100 * now.count("g") / len(now) - green) < 1, f"{green:g} %: {now.count('g')} of {len(now)}"
        moved = [user for user, old, new in zip(USERS, before, now) if old == "g" and new != "g"]
        assert not moved, f"at {green:g} % {len(moved)} moved back"
        if green in (5.0, 50.0):
            assert ask(balancers[1].listen, USERS) == now, f"balancers differ at {green:g} %"
        before = now


def test_the_other_color_is_raised_in_the_same_way(balancers: list[HAProxy]) -> None:
    users, before = USERS[:2000], ""
    for blue in (0.0, 10.0, 60.0):
        to(balancers[0], 100.0 - blue)
        now = ask(balancers[0].listen, users)
        assert not [user for user, old, new in zip(users, before, now) if old == "b" and new != "b"]
        before = now
    assert abs(before.count("b") / len(users) - 0.6) < 0.04


def test_a_reload_falls_back_to_what_is_committed_and_a_commit_needs_none(balancers: list[HAProxy]) -> None:
    one, users = balancers[0], USERS[:500]
    path = one.conf_dir / "shop.cfg"
    to(one, 25.0)
    leading = ask(one.listen, users)
    assert 0 < leading.count("g") < 250
    one.reload()
    assert ask(one.listen, users) == "b" * 500, "nobody committed it"

    to(one, 25.0)
    weights = split_weights(COLORS, {"blue": 75.0, "green": 25.0})
    _config.commit(str(path), "shop", weights, {"blue": 75.0, "green": 25.0}, one.program, str(one.main))
    assert _config.committed_users(path.read_text(), "shop") == 2500
    assert not differences(one)
    one.reload()
    assert ask(one.listen, users) == leading
    assert not differences(one)


def test_the_users_of_a_color_without_a_healthy_server_get_the_other(balancers: list[HAProxy]) -> None:
    one, users = balancers[0], USERS[:500]
    to(one, 50.0)
    one.runtime.act([f"set server shop/{name} health down" for name in COLORS["green"]])
    assert ask(one.listen, users) == "b" * 500


def test_users_without_the_cookie_go_by_their_address(balancers: list[HAProxy]) -> None:
    one = balancers[0]
    to(one, 50.0)
    assert len(set(ask(one.listen, USERS[:50], header="X-Nothing: %s"))) == 1, "all have one address"


def test_requests_are_counted_for_the_server_that_answered(balancers: list[HAProxy]) -> None:
    one = balancers[0]
    to(one, 50.0)
    letters = ask(one.listen, USERS[:400])
    assert len(letters) == 400
    stats = server_stats(one.runtime, "shop")
    counted = {color: sum(stats[name].requests for name in names) for color, names in COLORS.items()}
    assert counted == {"blue": letters.count("b"), "green": letters.count("g")}


def test_a_threshold_that_was_set_by_hand_is_told_and_the_next_shift_mends_it(balancers: list[HAProxy]) -> None:
    one = balancers[0]
    to(one, 25.0)
    (found,) = [
        line for line in one.runtime.run([f"show map {one.folder}/maps/shop.users.map"])[0].splitlines() if line
    ]
    assert found.endswith("users 2500")
    one.runtime.act([f"set map {one.folder}/maps/shop.users.map users 9999"])
    assert any("users below place 9999, and its weights say 2500" in line for line in differences(one))
    result = shift(one.runtime, "shop", split_weights(COLORS, {"blue": 75.0, "green": 25.0}))
    assert result.changed
    assert result.commands == [f"set map {one.folder}/maps/shop.users.map users 2500"]
    assert not [line for line in differences(one) if "users below" in line]


def test_weights_go_back_where_the_map_refuses(balancers: list[HAProxy], monkeypatch: pytest.MonkeyPatch) -> None:
    one = balancers[0]
    to(one, 5.0)
    act = type(one.runtime).act

    def refused(self: object, commands: Sequence[str]) -> None:
        act(self, [command.replace("users 2500", "nobody 2500") for command in commands])  # type: ignore[arg-type]

    monkeypatch.setattr(type(one.runtime), "act", refused)
    with pytest.raises(BalancerError, match=r"set map .*The weights from before are set again"):
        to(one, 25.0)
    assert _report.read_runtime(one.runtime, "shop").weights == split_weights(COLORS, shares(5.0))
    assert not [line for line in differences(one) if "users below" in line]


def shares(green: float) -> Mapping[str, float]:
    return {"blue": 100.0 - green, "green": green}


def differences(balancer: HAProxy) -> list[str]:
    disk = _report.read_disk(str(balancer.conf_dir / "shop.cfg"), "shop")
    found: list[str] = _report.report(disk, _report.read_runtime(balancer.runtime, "shop"), None)["differences"]
    return found
