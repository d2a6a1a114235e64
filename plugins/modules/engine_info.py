#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: What the Docker Engine of a VM has of a service
version_added: 0.1.0
description:
  - Lists the containers and the images of a service, and can ask the image's registry which digest a tag has now.
  - One run in the place of three, and without a library, so that a release asks a VM as rarely as it can.
  - The registry is asked by the engine. Name and password are in no file of the VM.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.attributes.info_module
  - sluice.bluegreen.engine.socket
options:
  service:
    description: Name of the service, as in the label C(sluice.bluegreen.service).
    type: str
    required: true
  color:
    description: Only containers of this color.
    type: str
    choices: [blue, green]
  image:
    description: Image without a tag, whose images are listed. Without it no images are.
    type: str
  run_dir:
    description: Folder of what must not survive a reboot, where RV(operation) is.
    type: path
    default: /run/sluice
  layers:
    description: Whether all images of the engine are listed, each with its layers.
    type: bool
    default: false
  resolve:
    description: Image with its tag, whose digest the registry is asked for.
    type: str
  username:
    description: Who logs in to the registry for O(resolve).
    type: str
  password:
    description:
      - The password. In the place of a seal of M(sluice.bluegreen.service_info) it is taken from C(bluegreen_services).
    type: str
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: See which containers of the green color are here, and what the registry has
  sluice.bluegreen.engine_info:
    service: shop
    color: green
    image: registry.example.com/shop
    resolve: registry.example.com/shop:2.1.0
  register: engine
"""

RETURN = r"""
operation:
  description:
    - The operation that worked on the containers of O(color) here last, for
      O(sluice.bluegreen.container_switch#module:expects); empty where none has since the VM was booted.
  type: str
  returned: where O(color) was named
  sample: 20260131T120000Z-2.1.0-4f2a
containers:
  description: The containers of the service; one that a hook left has that hook's C(hook).
  type: list
  elements: dict
  returned: success
  sample:
    - id: 5b1e0c6d8f0a1c3f1c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a
      name: shop-green-2.1.0
      color: green
      version: 2.1.0
      release_id: 20260131T120000Z-2.1.0-4f2a
      hook: null
      running: true
      image: sha256:3f1c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a0c2e4b6d8f0a1c
      image_id: sha256:8d0e1f3c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a0c2e4b6d8f
images:
  description:
    - The images, the newest first, each with its C(id), C(names) of this image, C(created), how many names it has
      beside them (C(others)), and its C(layers) where they were asked for.
  type: list
  elements: dict
  returned: success
digest:
  description: Digest that the registry has for O(resolve), else empty.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _engine_view, _operation
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import Engine
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import RUN_DIR, ColorPaths


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "color": {"type": "str", "choices": ["blue", "green"]},
            "image": {"type": "str"},
            "run_dir": {"type": "path", "default": RUN_DIR},
            "layers": {"type": "bool", "default": False},
            "resolve": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "docker_socket": ENGINE,
        },
        required_together=[("username", "password")],
        supports_check_mode=True,
    )
    asked = module.params
    login = {"username": asked["username"], "password": asked["password"]} if asked["username"] else None
    try:
        engine = Engine(asked["docker_socket"])
        paths = ColorPaths(asked["service"], asked["color"], asked["run_dir"]) if asked["color"] else None
        found = {
            # Before the containers: what is done to them meanwhile must not pass for what was seen.
            **({"operation": _operation.last(paths)} if paths else {}),
            "containers": _engine_view.containers(engine, asked["service"], asked["color"]),
            "images": _engine_view.images(engine, asked["image"], asked["layers"]) if asked["image"] else [],
            "digest": engine.digest(asked["resolve"], login) if asked["resolve"] else "",
        }
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
