# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree. A message names the thing, the place and the way out."""

from __future__ import annotations

from typing import Any


class SluiceError(Exception):
    """Whatever stops a step on purpose.

    ``message`` is the sentence for a person; ``details`` are JSON-ready values that a module adds to its failed
    result (``fail_json(msg=str(error), **error.details)``), so they must not be called ``msg`` or ``failed``.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InputError(SluiceError):
    """What the user wrote cannot be done; nothing was changed."""


class BalancerError(SluiceError):
    """HAProxy is not there, does not answer, or refused a command or a configuration."""


class EngineError(SluiceError):
    """A Docker Engine is not there, does not answer, or refused what it was asked."""


class StateError(SluiceError):
    """The journal, the lock or the lease of a service does not allow the step."""


class FencedError(StateError):
    """The release that this step belongs to is no longer the current one."""


class LockedError(StateError):
    """Another owner holds the lock of the service."""


class SourceError(SluiceError):
    """A source of metrics gave no usable answer."""
