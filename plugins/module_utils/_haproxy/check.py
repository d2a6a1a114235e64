# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate a staged file as a part of HAProxy's whole configuration, for the ``validate`` of a template.

    python3 -m sluice_bluegreen._haproxy.check --as /etc/haproxy/conf.d/shop.cfg /tmp/staged

Exit status 0 where HAProxy accepts it, 1 where it does not (its alerts go to the standard error), 2 for wrong use.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .._errors import SluiceError
from ._config import HAPROXY, MAIN_CONFIG, check_config


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
        check_config(options.haproxy, options.main, conf_dir, options.destination, staged)
    except (SluiceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
