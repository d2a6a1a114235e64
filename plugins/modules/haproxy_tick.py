#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_tick
short_description: Renew the lease of a stage on a balancer and read the counters of a service
version_added: 0.1.0
description:
  - What M(sluice.bluegreen.metrics_gate) runs on every balancer at every tick, in one step. It prolongs the lock and
    the lease of the release, appends the last tick to the tape, and reads the running totals of every server.
  - Without O(release_id) it only reads.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
attributes:
  check_mode:
    support: full
    details:
      - Reads, and renews nothing.
  diff_mode:
    support: N/A
    details:
      - Nothing that is configured changes.
  idempotent:
    support: N/A
    details:
      - A lease is renewed at every run; that is not reported as a change.
options:
  release_id:
    description: The release whose lease is renewed. Nothing is done when it does not hold the lock.
    type: str
  lease:
    description: Seconds that runtime may lead what is committed from now on. A lease that has ended is not taken again.
    type: float
    default: 30
  latency:
    description: Also read the latency histogram of every server.
    type: bool
    default: false
  deployed:
    description: Also tell how long ago the journal says that O(release_id) was deployed.
    type: bool
    default: false
  tape:
    description: Line to append to a tape.
    type: dict
    suboptions:
      name:
        description: Name of the tape, without folder and suffix.
        type: str
        required: true
      line:
        description: The line.
        type: dict
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Read the counters of every server
  sluice.bluegreen.haproxy_tick:
    service: shop
"""

RETURN = r"""
servers:
  description:
    - By server the running totals of requests and of bad ones, status, weight and current sessions.
    - C(unanswered) are attempts that got no answer and are in neither total, less the answers that are being sent now.
  type: dict
  returned: success
  sample: {green1: {requests: 4100, bad: 44, unanswered: 0, status: UP, weight: 13, sessions: 2}}
pid:
  description: Process id of the HAProxy worker; another one means that the totals began anew.
  type: int
  returned: success
uptime:
  description: Seconds since HAProxy's worker was started.
  type: int
  returned: success
latency:
  description:
    - C(bounds) are the upper bounds of the buckets in seconds, without the last, infinite one. C(servers) are by
      server the running totals of responses by bucket, from the first bucket with any to the last, behind the number
      of the first.
    - Null where HAProxy counts none. It needs the configuration that the role C(haproxy) writes.
  type: dict
  returned: when asked for
  sample: {bounds: [0.001, 0.0011, 0.0013], servers: {green1: [1, 310, 12]}}
deployed:
  description:
    - Seconds since the release was deployed, by the clock of this balancer; null where its journal does not know.
  type: float
  returned: when asked for
leading:
  description: Whether a lease was renewed; false when the balancer has fallen back to what is committed.
  type: bool
  returned: success
differences:
  description: What HAProxy works with and contradicts itself in, such as a threshold of users unlike the weights.
  type: list
  elements: str
  returned: success
fenced:
  description: True on failure because another release holds the lock.
  type: bool
  returned: on failure
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock, _tapes
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import balancer_args, service_paths
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._latency import pack
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _latency, _stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._report import runtime_differences
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._users import read as read_users
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


def renew(paths: ServicePaths, params: dict[str, Any]) -> bool:
    """Prolong lock and lease and write the tape; True while runtime may lead."""
    with mutex(paths.mutex):
        _lock.renew(paths, params["release_id"], params["lease"])
        return _lease.renew(paths, params["release_id"], _lease.SystemdTimer(), params["lease"])


def latency(sock: RuntimeSocket, service: str, servers: Iterable[str]) -> Optional[dict[str, Any]]:
    """See RETURN."""
    found = _latency.histograms(sock, service)
    if found is None:
        return None
    # A server that never answered is not in the table yet.
    return {"bounds": list(_latency.BOUNDS[:-1]), "servers": {name: pack(found.get(name, [])) for name in servers}}


def deployed(paths: ServicePaths, release_id: str, now: datetime) -> Optional[float]:
    """Seconds since the journal's last event ``deployed`` of the release, or None."""
    for event in reversed(_journal.read(paths.journal).events):
        if event["event"] == "deployed" and event.get("release_id") == release_id:
            at = datetime.strptime(event["at"], "%Y-%m-%dT%H:%M:%S.%f%z")
            return max(0.0, (now - at).total_seconds())
    return None


def run(params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """One tick; see RETURN."""
    paths = service_paths(params)
    sock = RuntimeSocket(params["socket"])
    leading = False
    if params["release_id"] and not check_mode:
        leading = renew(paths, params)
        tape = params["tape"]
        if tape and tape["line"]:
            try:
                _tapes.append(paths.tapes, tape["name"], tape["line"])
            except OSError as error:
                warn(f"the tape could not be written: {error}")
    info = _stats.process_info(sock)
    # What was set, not what counts now: a server that starts slowly or drains has another effective weight.
    weights = {name: state.weight for name, state in _stats.server_states(sock, paths.service).items()}
    servers = {
        name: {
            "requests": stats.requests,
            "bad": stats.bad,
            "unanswered": stats.unanswered,
            "status": stats.status,
            "weight": weights.get(name, 0),
            "sessions": stats.scur,
        }
        for name, stats in _stats.server_stats(sock, paths.service).items()
    }
    answer = {
        "servers": servers,
        "pid": info.pid,
        "uptime": info.uptime,
        "leading": leading,
        "differences": runtime_differences(read_users(sock, paths.service, info.pid), weights),
    }
    if params["latency"]:
        answer["latency"] = latency(sock, paths.service, servers)
    if params["deployed"] and params["release_id"]:
        answer["deployed"] = deployed(paths, params["release_id"], _journal.utc_now())
    return answer


def main() -> None:
    tape = {"name": {"type": "str", "required": True}, "line": {"type": "dict"}}
    module = AnsibleModule(
        argument_spec=balancer_args(
            release_id={"type": "str"},
            lease={"type": "float", "default": 30},
            latency={"type": "bool", "default": False},
            deployed={"type": "bool", "default": False},
            tape={"type": "dict", "options": tape},
        ),
        supports_check_mode=True,
    )
    finish(module, lambda: {"changed": False, **run(module.params, module.check_mode, module.warn)})


if __name__ == "__main__":
    main()
