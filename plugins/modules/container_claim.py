#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_claim
short_description: Begin to work on the containers of a color on a VM, unless another operation has
version_added: 0.1.0
description:
  - Writes which operation works on them, as M(sluice.bluegreen.container_switch) does, and under the same mutex; for
    what has to be done before that, such as making a container in the place of another one.
  - Refuses a name that a container of another service has.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.engine.socket
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - It is no configuration.
  idempotent:
    support: full
    details:
      - It is no change of the VM.
options:
  service:
    description: Name of the service.
    type: str
    required: true
  color:
    description: Color of this VM.
    type: str
    required: true
    choices: [blue, green]
  container:
    description: Name of the container that is to be made.
    type: str
    required: true
  release_id:
    description: The operation.
    type: str
    required: true
  expects:
    description: As in M(sluice.bluegreen.container_switch).
    type: str
  run_dir:
    description: As in M(sluice.bluegreen.container_switch).
    type: path
    default: /run/sluice
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Begin on this VM
  sluice.bluegreen.container_claim:
    service: shop
    color: green
    container: shop-green-2.1.0
    release_id: 20260131T120000Z-2.1.0-4f2a
    expects: "{{ engine.operation }}"
"""

RETURN = r"""
operation:
  description: The operation that may work here now, which is O(release_id), or in check mode the one before.
  type: str
  returned: success
fenced:
  description: True on failure because another operation has worked on the color here since.
  type: bool
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _operation
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import Engine
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import RUN_DIR, ColorPaths


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "color": {"type": "str", "required": True, "choices": ["blue", "green"]},
            "container": {"type": "str", "required": True},
            "release_id": {"type": "str", "required": True},
            "expects": {"type": "str"},
            "run_dir": {"type": "path", "default": RUN_DIR},
            "docker_socket": ENGINE,
        },
        supports_check_mode=True,
    )
    asked = module.params
    try:
        operation = _operation.begin(
            Engine(asked["docker_socket"]),
            ColorPaths(asked["service"], asked["color"], asked["run_dir"]),
            asked["release_id"],
            asked["expects"],
            asked["container"],
            check=module.check_mode,
        )
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(changed=False, operation=operation)


if __name__ == "__main__":
    main()
