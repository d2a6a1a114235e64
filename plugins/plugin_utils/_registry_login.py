# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login to a registry that is nowhere but in the memory of the host, for as long as one module runs."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _service_secrets
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written

# Docker's own registry is known to its clients by this name.
DOCKER_IO = "https://index.docker.io/v1/"


def registry_of(image: str) -> str:
    """The registry of an image, as a client's configuration names it. Pure."""
    first = image.split("/", 1)[0]
    named = "/" in image and ("." in first or ":" in first or first == "localhost")
    return first if named and first not in ("docker.io", "index.docker.io") else DOCKER_IO


@contextmanager
def logged_in(action: Any, image: str, service: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Iterator[None]:
    """What ``action`` runs inside of this finds the login of the page ``service``. Raises SluiceError.

    Without one, and in check mode, nothing is done.
    """
    page = written(action._templar, task_vars, service["name"], "deploy", "login")
    login = None if action._task.check_mode else _service_secrets.login(service, page)
    if not login:
        yield
        return
    token = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    config = json.dumps({"auths": {registry_of(image): {"auth": token}}})
    script = "umask 077; d=$(mktemp -d /dev/shm/sluice.XXXXXXXX) && cat > $d/config.json && echo folder=$d"
    said = action._low_level_execute_command(script, in_data=config.encode(), sudoable=True)
    lines = [line for line in said.get("stdout", "").splitlines() if line.startswith("folder=/dev/shm/")]
    if said.get("rc") or not lines:
        raise SluiceError(f"no place in memory for the registry's login: {said.get('stderr', '')}".strip())
    folder = lines[0][len("folder=") :]
    before = action._task.environment
    try:
        action._task.environment = [*(before or []), {"DOCKER_CONFIG": folder}]
        yield
    finally:
        action._task.environment = before
        action._low_level_execute_command(f"rm -rf {shlex.quote(folder)}", sudoable=True)
