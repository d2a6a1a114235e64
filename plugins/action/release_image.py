# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which image a release is of, before anything is done with it; runs on the controller, reads only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import _image_archive
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError

SPEC = {
    "service": {"type": "dict", "required": True},
    "version": {"type": "str", "required": True},
    "digest": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Thin: reads and checks the archive, or takes what the registry has said."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        service, deploy = args["service"], args["service"].get("deploy") or {}
        tag = f"{service['image']}:{args['version']}"
        try:
            if deploy.get("archive"):
                path = str(Path(deploy["archive"]).resolve())
                sha256 = _image_archive.check_sum(path, deploy.get("sha256"))
                image = {
                    "reference": tag,
                    "id": _image_archive.read(path, tag).image_id,
                    "digest": "",
                    "sha256": sha256,
                }
            else:
                digest = service.get("digest") or args["digest"]
                image = {"reference": f"{service['image']}@{digest}" if digest else tag, "id": "", "digest": digest}
        except SluiceError as error:
            return {**result, "failed": True, "msg": f"service {service['name']}: {error}", **error.details}
        words = (deploy.get("verify") or {}).get("command", [])
        command = [word.replace("$image", image["reference"]) for word in words]
        return {**result, "changed": False, "image": image, "verify": command}
