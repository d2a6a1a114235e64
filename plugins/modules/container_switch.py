#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_switch
short_description: Go from the container that a color runs to another one that is there
version_added: 0.1.0
description:
  - Stops what the color runs on this VM, brings the container its secrets, starts it, waits until it is healthy, and
    only then removes the containers and images of the service that nobody needs any more. All in one run, so that the
    VM is without a container for as short as can be.
  - The container must have been made before, as by M(sluice.bluegreen.service_container).
  - What ran before is stopped and stays, as the way back. Containers and images of other services are never touched.
  - One at a time on a color of a service, by a mutex in O(run_dir), so that nobody takes a container for running that
    another one is just stopping. The wait until it is healthy is outside of it.
  - Whoever begins writes its O(release_id) to the file C(SERVICE/COLOR.operation) in O(run_dir). With O(expects) it
    begins only where nobody else has since, and fails before anything was touched otherwise. Where another one has
    come before the container was healthy, nothing is removed.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.engine.socket
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
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
    description: Name of the container that shall run. With an empty name nothing shall.
    type: str
    required: true
  release_id:
    description: The operation that this is a step of.
    type: str
    required: true
  expects:
    description:
      - RV(sluice.bluegreen.engine_info#module:operation) as it was when this operation looked; empty where there was
        none.
      - Without it this operation takes over from whichever was here, as one may that took the lock on the balancers
        for that.
      - The file does not survive a reboot. What was expected to be there and is not is no leave to go on, since whoever
        wrote it after that is not known either. So an operation that has begun on a VM does not go on there after a
        reboot, and one that looked after it, or that takes over, does.
    type: str
  run_dir:
    description: Folder of what must not survive a reboot.
    type: path
    default: /run/sluice
  keep:
    description: Containers that stay beside it and those that run now.
    type: list
    elements: str
    default: []
  missing_ok:
    description: Whether a container that is not there is no failure; what runs is stopped all the same.
    type: bool
    default: false
  image:
    description: Image without its tag, for O(keep_images).
    type: str
    default: ""
  image_id:
    description: What the container must have been made from; empty for anything.
    type: str
    default: ""
  tidy:
    description:
      - Whether containers that are not needed any more are removed, and images beside O(keep_images).
      - What a hook left behind is removed in any case, with its secrets.
    type: bool
    default: true
  keep_images:
    description: How many images of the service stay, with those that any container uses; 0 for all of them.
    type: int
    default: 0
  secrets:
    description:
      - Names and contents of the files that the container finds at C(/run/secrets). They are kept in
        C(/var/lib/sluice/secrets/CONTAINER), for the user that the container runs as.
      - In the place of a seal of M(sluice.bluegreen.service_info) the secret is taken from C(bluegreen_services).
    type: dict
    default: {}
  health:
    description: When the container is healthy, as in M(sluice.bluegreen.health_gate).
    type: dict
    required: true
  address:
    description: Where it is probed.
    type: str
    default: 127.0.0.1
  port:
    description: At which port.
    type: int
    required: true
  name:
    description: Name of this VM, for messages.
    type: str
    required: true
  version:
    description: Version that must answer.
    type: str
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Start the version that was made ready, and keep the one before
  sluice.bluegreen.container_switch:
    service: shop
    color: green
    container: shop-green-2.1.0
    release_id: 20260131T120000Z-2.1.0-4f2a
    expects: "{{ engine.operation }}"
    keep: [shop-green-2.0.0]
    image: registry.example.com/shop
    keep_images: 3
    health: {path: /healthz, timeout: 1m}
    port: 8080
    name: green1
    version: 2.1.0
"""

RETURN = r"""
fenced:
  description: True on failure because another operation has worked on the color here since.
  type: bool
  returned: on failure
stopped:
  description: Containers that were stopped.
  type: list
  elements: str
  returned: success
started:
  description: The container, where it had to be started.
  type: list
  elements: str
  returned: success
runs:
  description: Whether the container is there, and so runs now.
  type: bool
  returned: success
removed:
  description: Containers that were removed.
  type: list
  elements: str
  returned: success
images_removed:
  description: Names of images that were removed.
  type: list
  elements: str
  returned: success
endpoints:
  description: What M(sluice.bluegreen.health_gate) returns of the container.
  type: dict
  returned: where it was probed
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _health_gate
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import Engine
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._health_args import HEALTH
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import RUN_DIR
from ansible_collections.sluice.bluegreen.plugins.module_utils._switch import Wanted, switch


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "color": {"type": "str", "required": True, "choices": ["blue", "green"]},
            "container": {"type": "str", "required": True},
            "release_id": {"type": "str", "required": True},
            "expects": {"type": "str"},
            "run_dir": {"type": "path", "default": RUN_DIR},
            "keep": {"type": "list", "elements": "str", "default": []},
            "missing_ok": {"type": "bool", "default": False},
            "image": {"type": "str", "default": ""},
            "image_id": {"type": "str", "default": ""},
            "tidy": {"type": "bool", "default": True},
            "keep_images": {"type": "int", "default": 0},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "health": {"type": "dict", "required": True, "options": HEALTH},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
            "version": {"type": "str"},
            "docker_socket": ENGINE,
        },
        supports_check_mode=True,
    )
    asked = module.params
    wanted = Wanted(**{key: asked[key] for key in Wanted._fields})
    endpoint = {
        "name": asked["name"],
        "address": asked["address"],
        "port": asked["port"],
        "container": asked["container"],
    }

    def healthy() -> Mapping[str, Any]:
        gate = {**asked, "endpoints": [endpoint], "quorum": "100%", "haproxy": None}
        return _health_gate.run(gate, once=False)

    try:
        found = switch(Engine(asked["docker_socket"]), wanted, healthy, check=module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    before = "".join(f"{name} runs\n" for name in found["stopped"])
    after = "".join(f"{name} runs\n" for name in found["started"])
    module.exit_json(**found, diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
