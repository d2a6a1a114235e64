# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module on a balancer ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ._errors import SluiceError


def finish(module: Any, work: Callable[[], Mapping[str, Any]]) -> None:
    """End the ``AnsibleModule`` with what ``work`` returns, or with the failure that it raises."""
    try:
        module.exit_json(**work())
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        module.fail_json(msg=f"service {module.params['service']}: {error}")
