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

from . import _journal
from ._errors import SluiceError
from ._files import mutex, read_json, remove
from ._haproxy import _config, _shift
from ._haproxy._socket import RuntimeSocket
from ._paths import ServicePaths


def fall_back(paths: ServicePaths, token: str, socket: str) -> str:
    """Return the sentence that says what was done; SluiceError where HAProxy refuses (systemd tries again)."""
    with mutex(paths.mutex):
        lease = read_json(paths.lease)
        if lease is None or lease["token"] != token:
            return "the lease was renewed or ended meanwhile; nothing to do"
        text = paths.config.read_text(encoding="utf-8")
        shares = _config.committed_shares(text)
        result = _shift.shift(RuntimeSocket(socket), paths.service, _config.committed_weights(text, paths.service))
        remove(paths.lease)
        try:
            _journal.append(
                paths.journal,
                "lease_expired",
                lease["release_id"],
                {"shares": shares, "changed": result.changed, "seconds": lease["seconds"]},
            )
        except OSError as error:
            print(f"the journal could not be written: {error}", file=sys.stderr)
        return (
            f"lease of release {lease['release_id']} ran out: {paths.service} is back at the committed split {shares}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="sluice_bluegreen._lease_expired", description=__doc__)
    for option in ("service", "token", "socket", "state-dir", "run-dir", "config-dir"):
        parser.add_argument(f"--{option}", required=True)
    options = parser.parse_args()
    paths = ServicePaths(options.service, options.state_dir, options.run_dir, options.config_dir)
    try:
        print(fall_back(paths, options.token, options.socket))
    except (SluiceError, OSError) as error:
        print(f"{options.service}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
