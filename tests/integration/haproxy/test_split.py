# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shifts, commits and counters on a running HAProxy under requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config, _report
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_states, server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import shares_of, split_weights
from haproxy_process import HAProxy, WebServer, free_port, get, until

Web = Callable[[str], WebServer]
STABLE = {"blue": 100.0, "green": 0.0}


def fleet(web: Web, blue: int = 2, green: int = 2) -> dict[str, list[WebServer]]:
    return {
        "blue": [web(f"blue{number}") for number in range(1, blue + 1)],
        "green": [web(f"green{number}") for number in range(1, green + 1)],
    }


def names(servers: dict[str, list[WebServer]]) -> dict[str, list[str]]:
    return {color: [server.name for server in of_color] for color, of_color in servers.items()}


def ports(servers: dict[str, list[WebServer]]) -> dict[str, dict[str, int]]:
    return {color: {server.name: server.port for server in of_color} for color, of_color in servers.items()}


@pytest.fixture
def servers(web: Web) -> dict[str, list[WebServer]]:
    return fleet(web)


@pytest.fixture
def shop(haproxy: HAProxy, servers: dict[str, list[WebServer]]) -> HAProxy:
    """The service `shop`, all of it on blue."""
    haproxy.service(ports(servers), split_weights(names(servers), STABLE), STABLE)
    haproxy.start()
    return haproxy


def runtime_weights(haproxy: HAProxy, service: str = "shop") -> dict[str, int]:
    return {name: state.weight for name, state in server_states(haproxy.runtime, service).items()}


def by_color(answers: Counter[str]) -> Counter[str]:
    colors: Counter[str] = Counter()
    for answer, count in answers.items():
        colors[answer.rstrip("0123456789") or answer] += count
    return colors


@pytest.mark.parametrize("share", [5.0, 25.0, 50.0, 100.0])
def test_the_requests_split_as_the_weights_say(
    shop: HAProxy, servers: dict[str, list[WebServer]], share: float
) -> None:
    weights = split_weights(names(servers), {"blue": 100 - share, "green": share})
    result = shift(shop.runtime, "shop", weights)
    assert result.after == runtime_weights(shop) == weights
    answers = by_color(get(shop.listen, 1000))
    assert answers["green"] / 10 == pytest.approx(share, abs=1), answers
    assert set(answers) <= {"blue", "green"}, "every request was answered"
    observed = _report.report(_config_disk(shop), _report.read_runtime(shop.runtime, "shop"), names(servers))[
        "observed"
    ]
    assert observed["requests"] == 1000
    assert observed["shares"]["green"] == pytest.approx(share, abs=1)


def _config_disk(haproxy: HAProxy) -> _report.Disk:
    return _report.read_disk(str(haproxy.conf_dir / "shop.cfg"), "shop")


def test_going_to_and_fro_under_requests_loses_none(shop: HAProxy, servers: dict[str, list[WebServer]]) -> None:
    stop = threading.Event()
    answers: Counter[str] = Counter()

    def load() -> None:
        while not stop.is_set():
            answers.update(get(shop.listen, 20))

    users = [threading.Thread(target=load) for _number in range(4)]
    for user in users:
        user.start()
    for number in range(100):
        share = 100.0 if number % 2 == 0 else 0.0
        shift(shop.runtime, "shop", split_weights(names(servers), {"blue": 100 - share, "green": share}))
    stop.set()
    for user in users:
        user.join()
    colors = by_color(answers)
    assert set(colors) == {"blue", "green"}, f"requests were lost: {colors}"


def test_two_thousand_servers_shift_in_one_call(haproxy: HAProxy) -> None:
    colors = {color: {f"{color}{number}": 9 for number in range(1000)} for color in ("blue", "green")}
    of_color = {color: list(found) for color, found in colors.items()}
    haproxy.service(colors, split_weights(of_color, STABLE), STABLE)
    haproxy.start()
    weights = split_weights(of_color, {"blue": 95.0, "green": 5.0})
    result = shift(haproxy.runtime, "shop", weights)
    assert len(result.commands) == 2000
    assert runtime_weights(haproxy) == weights
    assert shares_of(weights, of_color)["green"] == 5


def test_weights_set_by_hand_are_found_and_put_right(shop: HAProxy, servers: dict[str, list[WebServer]]) -> None:
    weights = split_weights(names(servers), {"blue": 75.0, "green": 25.0})
    shift(shop.runtime, "shop", weights)
    shop.runtime.act(["set server shop/green2 weight 200"])
    result = shift(shop.runtime, "shop", weights)
    assert result.before["green2"] == 200
    assert result.commands == [f"set server shop/green2 weight {weights['green2']}"]
    assert runtime_weights(shop) == weights


def test_a_shift_to_other_servers_than_haproxy_has_changes_nothing(shop: HAProxy) -> None:
    before = runtime_weights(shop)
    with pytest.raises(BalancerError, match=r"does not have green3 and has blue2, not in the inventory"):
        shift(shop.runtime, "shop", {"blue1": 1, "green1": 1, "green2": 1, "green3": 1})
    assert runtime_weights(shop) == before


class Losing(RuntimeSocket):
    """HAProxy's socket, with somebody else at work between the sending of weights and the reading back."""

    def __init__(self, path: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(path)
        self.meanwhile = meanwhile

    def act(self, commands: list[str]) -> None:  # type: ignore[override]
        super().act(commands)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()


def test_a_weight_that_somebody_changes_meanwhile_undoes_the_shift(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    before = runtime_weights(shop)
    sock = Losing(shop.socket, lambda: shop.runtime.act(["set server shop/green1 weight 99"]))
    with pytest.raises(BalancerError, match=r"green1 99 instead of .* The weights from before are set again") as raised:
        shift(sock, "shop", split_weights(names(servers), {"blue": 50.0, "green": 50.0}))
    assert raised.value.details["restored"] is True
    assert runtime_weights(shop) == before


def test_a_reload_in_the_middle_of_a_shift_falls_back_to_what_is_committed(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    committed = runtime_weights(shop)
    shift(shop.runtime, "shop", split_weights(names(servers), {"blue": 95.0, "green": 5.0}))
    with pytest.raises(BalancerError, match="HAProxy was reloaded meanwhile") as raised:
        shift(Losing(shop.socket, shop.reload), "shop", split_weights(names(servers), {"blue": 50.0, "green": 50.0}))
    assert raised.value.details["restored"] is False
    assert runtime_weights(shop) == committed


def test_two_services_shift_at_once_and_do_not_touch_each_other(haproxy: HAProxy) -> None:
    of_color = {color: [f"{color}{number}" for number in range(200)] for color in ("blue", "green")}
    colors = {color: dict.fromkeys(found, 9) for color, found in of_color.items()}
    for name in ("shop", "cart"):
        haproxy.service(colors, split_weights(of_color, STABLE), STABLE, name=name, listen=free_port())
    haproxy.start()
    failures = []

    def rollout(service: str) -> None:
        for share in range(1, 31):
            try:
                shift(haproxy.runtime, service, split_weights(of_color, {"blue": 100.0 - share, "green": float(share)}))
            except BalancerError as error:
                failures.append(error)

    threads = [threading.Thread(target=rollout, args=(service,)) for service in ("shop", "cart")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    expected = split_weights(of_color, {"blue": 70.0, "green": 30.0})
    assert runtime_weights(haproxy, "shop") == runtime_weights(haproxy, "cart") == expected


def commit(haproxy: HAProxy, weights: dict[str, int], shares: dict[str, float]) -> _config.CommitResult:
    path = str(haproxy.conf_dir / "shop.cfg")
    return _config.commit(path, "shop", weights, shares, haproxy.program, str(haproxy.main))


def test_a_reload_falls_back_to_the_committed_split_and_a_commit_makes_it_last(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    committed = runtime_weights(shop)
    shares = {"blue": 75.0, "green": 25.0}
    weights = split_weights(names(servers), shares)
    shift(shop.runtime, "shop", weights)
    shop.reload()
    assert runtime_weights(shop) == committed, "runtime alone does not survive a reload"

    shift(shop.runtime, "shop", weights)
    process = shop.processes[-1].pid
    assert commit(shop, weights, shares).changed
    assert not commit(shop, weights, shares).changed, "what is committed is not committed again"
    assert _report.read_runtime(shop.runtime, "shop").info.pid == process, "a commit does not reload"
    shop.reload()
    assert runtime_weights(shop) == weights
    assert by_color(get(shop.listen, 200))["green"] == pytest.approx(50, abs=2)


def test_a_commit_into_a_configuration_that_haproxy_refuses_leaves_the_file_alone(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    (shop.conf_dir / "other.cfg").write_text("backend other\n    balance nonsense\n")
    before = (shop.conf_dir / "shop.cfg").read_bytes()
    shares = {"blue": 75.0, "green": 25.0}
    with pytest.raises(BalancerError) as raised:
        commit(shop, split_weights(names(servers), shares), shares)
    (alert,) = raised.value.details["alerts"]
    assert alert.startswith(f"parsing [{shop.conf_dir}/other.cfg:2] : balance only supports"), "HAProxy's own words"
    assert alert in str(raised.value)
    assert (shop.conf_dir / "shop.cfg").read_bytes() == before
    assert sorted(path.name for path in shop.conf_dir.iterdir()) == ["other.cfg", "shop.cfg"]


def test_requests_and_failures_are_counted_as_users_saw_them(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    good, failing = servers["blue"]
    failing.status = 500
    assert get(shop.listen, 40) == {"blue1": 20, "500": 20}
    failing.status = 404
    assert get(shop.listen, 20) == {"blue1": 10, "404": 10}
    failing.status = None
    assert get(shop.listen, 20, keep=False) == {"blue1": 10, "502": 10}
    failing.shutdown()
    failing.server_close()
    until("the port is closed", lambda: get(shop.listen, 2, keep=False)["503"] == 1)

    stats = server_stats(shop.runtime, "shop")
    assert (stats["blue1"].requests, stats["blue1"].bad) == (good.requests, 0)
    broken = stats["blue2"]
    assert (broken.responses["5xx"], broken.responses["4xx"]) == (20, 10)
    assert broken.eresp >= 10, "answers that never came"
    assert broken.econ >= 1, "connections that were refused"
    assert broken.bad == broken.responses["5xx"] + broken.econ + broken.eresp
    assert broken.requests == broken.bad + 10
    assert stats["green1"].requests == 0


def test_a_request_that_no_server_answered_is_tried_elsewhere_as_the_role_configures_it(
    haproxy: HAProxy, web: Web
) -> None:
    servers = fleet(web, 2, 1)
    haproxy.service(
        ports(servers),
        split_weights(names(servers), STABLE),
        STABLE,
        extra="    retries 3\n    option redispatch 1\n    retry-on conn-failure empty-response\n"
        "    http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }\n",
    )
    haproxy.start()
    servers["blue"][1].status = None
    assert get(haproxy.listen, 20) == {"blue1": 20}, "what may be repeated is"
    assert get(haproxy.listen, 20, "POST", keep=False) == {"blue1": 10, "502": 10}, "what may have been acted on is not"


def test_the_report_names_what_differs(shop: HAProxy, servers: dict[str, list[WebServer]]) -> None:
    declared = names(servers)
    disk = _config_disk(shop)
    clean = _report.report(disk, _report.read_runtime(shop.runtime, "shop"), declared)
    assert clean["differences"] == []
    assert clean["runtime"]["shares"] == clean["disk"]["shares"] == STABLE

    shift(shop.runtime, "shop", split_weights(declared, {"blue": 95.0, "green": 5.0}))
    shop.runtime.act(["set server shop/blue2 state drain"])
    declared["green"].append("green3")
    found = _report.report(disk, _report.read_runtime(shop.runtime, "shop"), declared)
    assert found["differences"] == [
        "The inventory has servers that the disk lacks: green3.",
        "The inventory has servers that HAProxy lacks: green3.",
        "Runtime leads the disk: HAProxy works with blue 95 %, green 5 %, committed is blue 100 %, green 0 %.",
        "Set by hand, whatever the weights say: blue2 in drain.",
    ]
    assert found["servers"]["blue2"]["admin"] == "drain"


def test_the_report_names_servers_that_have_changed_their_color(
    shop: HAProxy, servers: dict[str, list[WebServer]]
) -> None:
    declared = names(servers)
    declared["blue"].append(declared["green"].pop())
    found = _report.report(_config_disk(shop), _report.read_runtime(shop.runtime, "shop"), declared)
    assert found["differences"] == [
        "The inventory gives servers another color than the disk: green2 (blue, on the disk green)."
    ]
