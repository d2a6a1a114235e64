#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_drain
short_description: Wait until the sessions of a color have ended on a balancer, then cut the others
version_added: 0.1.0
description:
  - Waits until no server of O(color) has a session any more, for O(timeout) at most, then cuts those that are left and
    says how many. Long-lived connections are sessions too, WebSockets and those of a service in TCP mode included.
  - Each look is one session with HAProxy, for all servers of the color together.
  - A color that still has traffic is refused. No lock is needed, since nothing is cut but what has no weight.
  - Connections that began before HAProxy was last reloaded belong to its former process and are not seen; these end
    with C(hard-stop-after).
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
  - sluice.bluegreen.servers
attributes:
  check_mode:
    support: full
    details:
      - Looks once and does not wait; what would be cut is what has not ended by then.
  diff_mode:
    support: N/A
    details:
      - Nothing that is configured changes.
  idempotent:
    support: full
options:
  servers:
    description: All servers of the service.
    required: true
  color:
    description: The color that has no traffic any more.
    type: str
    required: true
    choices: [blue, green]
  timeout:
    description: Seconds to wait before sessions are cut; V(0) cuts them at once.
    type: float
    default: 30
  interval:
    description: Seconds between two looks.
    type: float
    default: 0.5
  direct:
    description:
      - Whether the sessions in the backend of the color alone end as well, those of previews and pinned users.
      - Wanted before the containers of the color are replaced; after a shift these users may stay.
    type: bool
    default: false
  cut:
    description:
      - Whether what is left after O(timeout) is cut. Not wanted where clients stick to a server, which get its answers
        whatever its weight is.
    type: bool
    default: true
  release_id:
    description: The release that the journal names, where sessions were cut.
    type: str
seealso:
  - module: sluice.bluegreen.haproxy_split
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Let the sessions on blue end within a minute
  sluice.bluegreen.haproxy_drain:
    service: shop
    servers: "{{ bluegreen_service.servers }}"
    color: blue
    timeout: 60
  register: drained

- name: Say how many did not
  ansible.builtin.debug:
    msg: "{{ drained.cut_total }} sessions were cut after {{ drained.waited }} s"
"""

RETURN = r"""
sessions:
  description: Sessions by server at the first look; servers without any are left out.
  type: dict
  returned: success
  sample: {blue1: 12, blue2: 9}
cut:
  description: Sessions by server that were cut.
  type: dict
  returned: success
  sample: {blue1: 1}
cut_total:
  description: How many that are.
  type: int
  returned: success
left:
  description: Sessions by server that are still there, in check mode those that were found at the only look.
  type: dict
  returned: success
waited:
  description: Seconds until the last session had ended, or until they were cut.
  type: float
  returned: success
commands:
  description: The commands of the Runtime API that were sent, or would be.
  type: list
  elements: str
  returned: success
  sample: [shutdown sessions server shop/blue1]
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import (
    SERVER,
    balancer_args,
    names_by_color,
    service_paths,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._drain import Drain
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._state import COLORS


def run(params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Drain; see RETURN. SluiceError or OSError where it cannot be done."""
    paths = service_paths(params)
    color = params["color"]
    backends = [paths.service, *([f"{paths.service}_{color}"] if params["direct"] else [])]
    drain = Drain(
        RuntimeSocket(params["socket"]),
        backends,
        names_by_color(params["servers"])[color],
        exclusive=lambda: mutex(paths.mutex),
    )
    drained = drain.run(params["timeout"], max(0.05, params["interval"]), check_mode, cut=params["cut"])
    if drained.cut and params["release_id"]:
        data = {"color": color, "cut": drained.cut, "waited": round(drained.waited, 1)}
        try:
            with mutex(paths.mutex):
                _journal.append(paths.journal, "drained", params["release_id"], data)
        except (SluiceError, OSError) as error:
            warn(f"the journal does not say that sessions were cut: {error}")
    return {
        "changed": bool(drained.commands),
        "sessions": drained.before,
        "cut": drained.cut,
        "cut_total": sum(drained.cut.values()),
        "left": drained.left,
        "waited": round(drained.waited, 3),
        "commands": drained.commands,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=balancer_args(
            servers={"type": "list", "elements": "dict", "required": True, "options": SERVER},
            color={"type": "str", "required": True, "choices": list(COLORS)},
            timeout={"type": "float", "default": 30},
            interval={"type": "float", "default": 0.5},
            direct={"type": "bool", "default": False},
            cut={"type": "bool", "default": True},
            release_id={"type": "str"},
        ),
        supports_check_mode=True,
    )
    finish(module, lambda: run(module.params, module.check_mode, module.warn))


if __name__ == "__main__":
    main()
