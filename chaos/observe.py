# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a balancer, with what the role installed there: how a service stands, a line of JSON for each line of input.

Arguments: HAProxy's socket, the service, and the folders of :class:`ServicePaths` where they are others.
"""

from __future__ import annotations

import json
import sys

from sluice_bluegreen import _journal, _lease, _lock, _state
from sluice_bluegreen._errors import SluiceError
from sluice_bluegreen._haproxy import _config, _stats
from sluice_bluegreen._haproxy._socket import RuntimeSocket
from sluice_bluegreen._paths import ServicePaths


def look(paths: ServicePaths, socket: str) -> dict[str, object]:
    """What is committed, what HAProxy works with (None where it does not answer), lock, lease, journal."""
    text = _config.read_service_file(str(paths.config)) or ""
    content = _journal.read(paths.journal)
    try:
        runtime = {
            name: state.weight for name, state in _stats.server_states(RuntimeSocket(socket), paths.service).items()
        }
    except SluiceError:
        runtime = None
    return {
        "disk": _config.committed_weights(text, paths.service) if text else {},
        "shares": _config.committed_shares(text) if text else {},
        "runtime": runtime,
        "lock": _lock.current(paths),
        "lease": _lease.current(paths),
        "damage": content.damage,
        "state": _state.derive(content.events),
    }


if __name__ == "__main__":
    for _ in sys.stdin:
        print(json.dumps(look(ServicePaths(*sys.argv[2:]), sys.argv[1])), flush=True)
