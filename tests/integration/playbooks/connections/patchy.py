"""The local connection, which cannot be reached while a file is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: patchy
short_description: the local connection, with a hole
description: As the local one, but unreachable while a file is there.
extends_documentation_fragment: [connection_pipelining]
options:
  hole:
    description: The file. Where a module is named in it, only that one does not get through.
    type: path
    required: true
    vars: [{name: patchy_hole}]
"""


class Connection(LocalConnection):
    transport = "patchy"

    def exec_command(self, cmd: str, in_data: Any = None, sudoable: bool = True) -> Any:
        hole = Path(self.get_option("hole"))
        # With pipelining the module comes as data, its name in plain text.
        if hole.exists() and hole.read_bytes() in (in_data or b""):
            raise AnsibleConnectionFailure("nobody is there")
        return super().exec_command(cmd, in_data, sudoable)
