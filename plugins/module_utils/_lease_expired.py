# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timer of a lease runs on the balancer: ``python3 -m sluice_bluegreen._lease_expired``.

Standard library only, no Ansible, nobody at the other end: nobody renewed the lease, so runtime goes back to what is
committed on the disk. Nothing else on the balancer is touched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Optional

from . import _journal, _state
from ._errors import SluiceError, StateError
from ._files import mutex, read_json, remove
from ._haproxy import _config, _observed, _shift, _stats
from ._haproxy._socket import RuntimeSocket
from ._paths import ServicePaths


def fall_back(paths: ServicePaths, token: str, socket: str, release_id: str = "") -> str:
    """Return the sentence that says what was done; SluiceError where HAProxy refuses (systemd tries again).

    ``release_id`` is the release whose lease it was, for where somebody has removed the lease.
    """
    with mutex(paths.mutex):
        lease = read_json(paths.lease) or _removed(paths, token, release_id)
        if lease is None or lease["token"] != token:
            return "the lease was renewed or ended meanwhile; nothing to do"
        text = _config.read_service_file(str(paths.config))
        if text is None:
            raise StateError(f"{paths.config} is gone, so there is nothing to fall back to")
        shares = _config.committed_shares(text)
        sock = RuntimeSocket(socket)
        found = _stats.server_states(sock, paths.service)
        weights = _weights_for(list(found), _config.committed_weights(text, paths.service))
        result = _shift.shift(sock, paths.service, weights)
        remove(paths.lease)
        with suppress(SluiceError, OSError):
            _observed.remember(paths.counters, sock, paths.service)
        try:
            _journal.append(
                paths.journal,
                "lease_expired",
                lease["release_id"],
                {"shares": shares, "changed": result.changed, "seconds": lease["seconds"]},
            )
        except OSError as error:
            print(f"the journal could not be written: {error}", file=sys.stderr)
        split = ", ".join(f"{color} {share:g} %" for color, share in shares.items())
        return f"lease of release {lease['release_id']} ran out: {paths.service} is back at the committed split {split}"


def _removed(paths: ServicePaths, token: str, release_id: str) -> Optional[dict[str, Any]]:
    """The lease, where its file and that of the lock are both gone, as after a clearing of ``/run`` by hand.

    None where a commit is owed: what is on the disk is then what the traffic was taken away from.
    """
    if not release_id or paths.lock.exists():
        return None
    state = _state.derive(_journal.read(paths.journal).events)
    if state["stable"] and state["shares"][state["stable"]] < 100 and not state["release"]:
        return None
    return {"token": token, "release_id": release_id, "seconds": 0.0}


def _weights_for(servers: list[str], committed: Mapping[str, int]) -> dict[str, int]:
    """The committed weights for the servers that HAProxy has.

    These may be others than the disk's where HAProxy could not load what was written meanwhile, and that must not keep
    the traffic where it is: a server that the disk does not know gets nothing.
    """
    weights = {name: committed.get(name, 0) for name in servers}
    if any(committed.values()) and not any(weights.values()):
        raise StateError("HAProxy has none of the servers that have traffic on the disk")
    return weights


def main() -> int:
    parser = argparse.ArgumentParser(prog="sluice_bluegreen._lease_expired", description=__doc__)
    for option in ("service", "token", "socket", "state-dir", "run-dir", "config-dir"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--release-id", default="")
    options = parser.parse_args()
    paths = ServicePaths(options.service, options.state_dir, options.run_dir, options.config_dir)
    try:
        print(fall_back(paths, options.token, options.socket, options.release_id))
    except (SluiceError, OSError) as error:
        print(f"{options.service}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
