# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate a staged file as a part of HAProxy's whole configuration, for the ``validate`` of a template.

    python3 -m sluice_bluegreen._haproxy.check --as /etc/haproxy/conf.d/shop.cfg /tmp/staged

Exit status 0 where HAProxy accepts it, 1 where it does not (its alerts go to the standard error), 2 for wrong use.
A service's file is also refused when it would undo a commit that was made after the file was prepared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .._errors import SluiceError, StateError
from ._config import (
    HAPROXY,
    MAIN_CONFIG,
    check_config,
    committed_shares,
    is_service_file,
    read_service_file,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; ``arguments`` as on the command line."""
    parser = argparse.ArgumentParser(prog="sluice_bluegreen._haproxy.check", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("staged", help="the new file, wherever it waits")
    parser.add_argument("--as", dest="destination", required=True, help="the path that it is going to have")
    parser.add_argument("--haproxy", default=HAPROXY, help="HAProxy's binary (default: %(default)s)")
    parser.add_argument("--main", default=MAIN_CONFIG, help="the main configuration (default: %(default)s)")
    parser.add_argument("--conf-dir", default=None, help="the folder of the services (default: conf.d beside the main)")
    options = parser.parse_args(arguments)
    conf_dir = options.conf_dir or str(Path(options.main).parent / "conf.d")
    try:
        staged = Path(options.staged).read_bytes().decode("utf-8", "surrogateescape")
        _require_same_split(options.destination, staged)
        check_config(options.haproxy, options.main, conf_dir, options.destination, staged)
        # HAProxy's own check takes its time, and a commit may have come meanwhile.
        _require_same_split(options.destination, staged)
    except (SluiceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _require_same_split(destination: str, staged: str) -> None:
    present = read_service_file(destination)
    if present is None or not is_service_file(present) or not is_service_file(staged):
        return
    committed, prepared = committed_shares(present), committed_shares(staged)
    if committed != prepared:
        raise StateError(
            f"{destination} was committed meanwhile: it has {committed}, the new file was prepared with {prepared}. "
            "Nothing was changed; run sluice.bluegreen.site again."
        )


if __name__ == "__main__":
    sys.exit(main())
