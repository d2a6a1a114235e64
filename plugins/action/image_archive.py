# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an image from an archive on the controller to the host's engine, sending only what it lacks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Optional

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._image_archive import (
    Archive,
    read,
    shared_layers,
    write_rest,
)

SPEC = {
    "path": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "dict"},
    "docker_host": ENGINE,
}


def _in_short(image: dict[str, Any]) -> dict[str, Any]:
    return {"id": image["Id"], "names": image["RepoTags"] or [], "layers": image["RootFS"].get("Layers") or []}


class ActionModule(ActionBase):
    """Looks, sends, loads, and looks at what was loaded."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        self._docker = {"docker_host": args["docker_host"]}
        self._vars = task_vars or {}
        try:
            archive = read(str(Path(self._loader.path_dwim(args["path"])).resolve()), args["image"])
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(changed=False, image_id=archive.image_id, layers=len(archive.layers), layers_sent=0, sent=0)
        images = args["images"]
        if images is None:
            there = self._module("community.docker.docker_image_info", {})
            if there.get("failed"):
                return {**result, **there}
            images = [_in_short(image) for image in there["images"]]
        if any(image["id"] == archive.image_id and archive.image in image["names"] for image in images):
            return result
        skip = shared_layers(archive.layers, [image["layers"] for image in images])
        result.update(changed=True, layers_sent=len(archive.layers) - skip)
        if self._task.check_mode:
            return result
        result.update(self._send(archive, skip))
        if result.get("failed") and skip:
            Display().vvv(f"the engine does not take a part, so the whole archive is sent: {result['msg']}")
            result.update(failed=False, layers_sent=len(archive.layers))
            result.update(self._send(archive, 0))
        return result

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name=name, module_args={**self._docker, **arguments}, task_vars=self._vars
        )
        return result

    def _send(self, archive: Archive, skip: int) -> dict[str, Any]:
        """Send and load all but the lowest ``skip`` layers."""
        with tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP) as folder:
            source = archive.path
            if skip or not archive.alone:
                source = str(Path(folder) / "image.tar")
                write_rest(archive, skip, source)
            self._make_tmp_path()
            try:
                remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "image.tar")
                self._transfer_file(source, remote)
                self._fixup_perms2((self._connection._shell.tmpdir, remote))
                loaded = self._module("community.docker.docker_image_load", {"path": remote})
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
            sent = Path(source).stat().st_size
        if loaded.get("failed"):
            return {"failed": True, "msg": f"{archive.image} was not loaded: {loaded.get('msg')}"}
        if archive.image_id not in [image["Id"] for image in loaded["images"]]:
            return {"failed": True, "msg": f"{archive.path} gave another image than {archive.image_id}; save it anew"}
        return {"sent": sent}
