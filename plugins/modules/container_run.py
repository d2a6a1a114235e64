#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_run
short_description: Run a container that was made to its end, with its secrets, and remove it
version_added: 0.1.0
description:
  - Brings a container its secrets, starts it, waits until its command has ended, and removes it with them, whatever
    came of it. All in one run, so that it is also done where the playbook that wanted it is gone.
  - The container must have been made before, as by M(community.docker.docker_container) with O(ignore:state=present).
  - Where this VM itself goes down meanwhile, the container and its secrets stay until
    M(sluice.bluegreen.container_switch) finds it, by the label C(sluice.bluegreen.hook).
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.engine.socket
attributes:
  check_mode:
    support: full
    details:
      - Runs and removes nothing.
  diff_mode:
    support: N/A
    details:
      - What a command changes is not known.
  idempotent:
    support: none
    details:
      - Runs the command each time.
options:
  name:
    description: Name of the container.
    type: str
    required: true
  state:
    description:
      - V(ended) runs it.
      - V(absent) only removes it and its secrets, if they are there.
    type: str
    choices: [ended, absent]
    default: ended
  secrets:
    description:
      - Names and contents of the files that the container finds at C(/run/secrets). They are kept in
        C(/var/lib/sluice/secrets/CONTAINER) while it runs, for the user that it runs as.
    type: dict
    default: {}
  timeout:
    description: Seconds after which the command is ended.
    type: float
    default: 300
seealso:
  - module: sluice.bluegreen.release_hook
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Run what was made
  sluice.bluegreen.container_run:
    name: shop-green-hook-before_deploy-0-migrate
    secrets: {database_url: "{{ vault_shop_database_url }}"}
    timeout: 600
"""

RETURN = r"""
status:
  description: Exit status of the command; nothing where it did not end in time.
  type: int
  returned: when it ran
timed_out:
  description: Whether it was ended because its time was over.
  type: bool
  returned: when it ran
output:
  description: The last lines that it wrote, to both of its streams.
  type: str
  returned: when it ran
left:
  description: Why the container is still there; empty where it is removed.
  type: str
  returned: when the container was there
"""

import signal

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _container_run
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import Engine
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["ended", "absent"], "default": "ended"},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "timeout": {"type": "float", "default": 300},
            "docker_socket": ENGINE,
        },
        supports_check_mode=True,
    )
    asked = module.params
    if module.check_mode:
        module.exit_json(changed=True)
    # A connection that is lost takes nothing with it: what was begun here is ended and removed here.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        engine = Engine(asked["docker_socket"])
        if asked["state"] == "absent":
            left = _container_run.remove(engine, asked["name"])
            module.exit_json(changed=True, failed=bool(left), msg=left, left=left)
        found = _container_run.run(engine, asked["name"], asked["secrets"], asked["timeout"])
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    failure, timed_out = found.pop("failure"), False
    if not failure and found["status"] is None:
        timed_out, failure = True, f"the command was not over after {asked['timeout']:g} s"
    elif not failure and found["status"]:
        failure = f"the command ended with exit status {found['status']}"
    module.exit_json(changed=True, failed=bool(failure), msg=failure, timed_out=timed_out, **found)


if __name__ == "__main__":
    main()
