#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_config_info
short_description: Read which configuration a balancer has on disk and which of it HAProxy has loaded
version_added: 0.1.0
description:
  - Lists the services that are configured on a balancer with their committed split, and says which files HAProxy has
    not loaded as they are now, because of a reload that was missed or that failed.
  - Every file that the role P(sluice.bluegreen.haproxy#role) writes gives itself a revision, a digest of everything
    in it but the committed split. HAProxy is asked which revision it runs with.
  - Works before HAProxy is installed. Changes nothing.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  config:
    description: HAProxy's main configuration file.
    type: path
    default: /etc/haproxy/haproxy.cfg
  config_dir:
    description: Folder with one HAProxy file per service.
    type: path
    default: /etc/haproxy/conf.d
  socket:
    description: Path of HAProxy's Runtime API socket.
    type: path
    default: /run/haproxy/admin.sock
  services:
    description:
      - Names of services whose committed split is returned in RV(committed), also where their file was lost, and whose
        servers that are up are returned in RV(up).
    type: list
    elements: str
    default: []
  state_dir:
    description: Folder of the journals.
    type: path
    default: /var/lib/sluice
seealso:
  - module: sluice.bluegreen.haproxy_split_info
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: See what HAProxy has not loaded
  sluice.bluegreen.haproxy_config_info:
  register: config

- name: Name it
  ansible.builtin.debug:
    msg: "HAProxy needs a reload for {{ config.outdated | join(', ') }}"
  when: config.outdated | length > 0
"""

RETURN = r"""
main:
  description: Path and revision of the main file; the revision is null where the role did not write the file.
  type: dict
  returned: success
  sample: {path: /etc/haproxy/haproxy.cfg, revision: 1f0c2d3e4a5b6c7d}
services:
  description:
    - By service its file, revision, and what is committed in it, as in M(sluice.bluegreen.haproxy_split_info).
    - C(checks) is what its servers are asked for, C(health) with the keys of the service's page, and where they are.
  type: dict
  returned: success
  sample:
    shop:
      path: /etc/haproxy/conf.d/shop.cfg
      revision: 9a8b7c6d5e4f3a2b
      shares: {blue: 100.0, green: 0.0}
      weights: {blue1: 256, green1: 0}
      colors: {blue: [blue1], green: [green1]}
      checks:
        health: {tcp: false, path: /healthz, status: [200], host_header: shop, port: null}
        servers: {blue1: "198.18.0.21:8080", green1: "198.18.0.31:8080"}
committed:
  description:
    - By service in O(services) the committed split, as C(shares) in per cent by color, and its C(source).
    - The V(disk) where the service has a file. Where that was lost it is what the V(journal) says was committed last,
      and without a journal what HAProxy works with at V(runtime). Services that have none of them are left out.
  type: dict
  returned: success
  sample: {shop: {shares: {blue: 100.0, green: 0.0}, source: disk}}
foreign:
  description: Files in the folder that this collection did not write.
  type: list
  elements: str
  returned: success
up:
  description: By service in O(services) the servers that HAProxy calls up; empty where it does not run.
  type: dict
  returned: success
  sample: {shop: [blue1, green1]}
running:
  description: Whether HAProxy answers at the socket.
  type: bool
  returned: success
problem:
  description: Why it does not, else empty.
  type: str
  returned: success
outdated:
  description:
    - Services whose file HAProxy has not loaded as it is on disk, and C(Main) for the main file.
    - Empty where HAProxy does not run.
  type: list
  elements: str
  returned: success
level:
  description: What the socket may do, C(admin), C(operator) or C(user); null where HAProxy does not run.
  type: str
  returned: success
haproxy:
  description: Version, process id and uptime in seconds of HAProxy, or null where it does not run.
  type: dict
  returned: success
  sample: {version: 2.6.12-1+deb12u3, pid: 4711, uptime: 86400}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._loaded import compare
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import STATE_DIR, ServicePaths


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Read and compare; see RETURN."""
    services = [ServicePaths(name, params["state_dir"], config_dir=params["config_dir"]) for name in params["services"]]
    return compare(params["config"], params["config_dir"], RuntimeSocket(params["socket"]), services)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
            "config_dir": {"type": "path", "default": "/etc/haproxy/conf.d"},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "services": {"type": "list", "elements": "str", "default": []},
            "state_dir": {"type": "path", "default": STATE_DIR},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **run(module.params))
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
