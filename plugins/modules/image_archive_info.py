#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive_info
short_description: Read the id of an image in an archive
version_added: 0.1.0
description:
  - Reads an archive as C(docker save) writes it, without a Docker Engine, so that it is sent only to hosts
    that lack the image.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  path:
    description: Path of the archive.
    type: path
    required: true
  image:
    description: Name and tag of the image, which must be in the archive.
    type: str
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Read the archive on the controller
  sluice.bluegreen.image_archive_info:
    path: build/shop-2.1.0.tar
    image: registry.example.com/shop:2.1.0
  delegate_to: localhost
  register: archive
"""

RETURN = r"""
image_id:
  description: Id of the image, as an engine that loaded it shows it.
  type: str
  returned: success
  sample: sha256:8d0e1f3c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a0c2e4b6d8f
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._image_archive import image_id


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "image": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, image_id=image_id(module.params["path"], module.params["image"]))
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
