# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes under ``hooks`` on a service's page: phases, kinds, types, limits, defaults. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._hooks import KINDS, PHASES
from ._page_gates import _secrets, _url, _words
from ._schema import Reader, plain
from ._units import shown

# It is part of a header, a label and the name of a container.
_NAME = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}"
_ENV = r"[A-Za-z_][A-Za-z0-9_]*"
_FILE = r"[^\n]*[^\n/]\.ya?ml"
WHEN_FAILED = ("fail", "warn")
# Beyond that it is a job of its own, which a hook may start.
LONGEST = 6 * 3600


def hooks(top: Reader) -> dict[str, list[dict[str, Any]]]:
    """The hooks of every phase, in the order of the page; a phase without any has an empty list."""
    given = top.section("hooks")
    found = {phase: [_hook(hook) for hook in given.sections(phase)] for phase in PHASES}
    for phase, listed in found.items():
        names = [hook["name"] for hook in listed]
        for twice in sorted({name for name in names if name and names.count(name) > 1}):
            given.note(phase, f"two are called {shown(twice)}; give each a name of its own")
    given.done()
    return found


def _hook(hook: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": hook.text("name", pattern=_NAME, wanted="use letters, digits, spaces, '.', '_' and '-', 60 at most"),
        "timeout": hook.duration("timeout", 300, low=1, high=LONGEST),
        "when_failed": hook.choice("when_failed", WHEN_FAILED, WHEN_FAILED[0]),
    }
    kinds = [kind for kind in KINDS if hook.take(kind) is not None]
    if len(kinds) != 1 and hook.given:
        hook.note("", f"give either 'tasks', 'container' or 'webhook', {'only one of them' if kinds else 'not none'}")
    found["kind"] = kinds[0] if kinds else KINDS[0]
    if "tasks" in kinds:
        found["tasks"] = hook.text("tasks", pattern=_FILE, wanted="write the path of a file such as hooks/smoke.yml")
    if "container" in kinds:
        found["container"] = _container(hook)
    if "webhook" in kinds:
        found["webhook"] = _webhook(hook.section("webhook"))
    hook.done()
    return found


def _container(hook: Reader) -> dict[str, Any]:
    """A list of words is short for ``{command: [...]}``."""
    wanted = "the command and its arguments as a list, such as [./manage, migrate]"
    if not isinstance(hook.take("container"), Mapping):
        return {"command": _words(hook, "container", r"(?s:.+)", wanted), "env": {}}
    container = hook.section("container")
    found = {
        "command": _words(container, "command", r"(?s:.+)", wanted),
        "env": container.texts("env", pattern=_ENV, wanted="use letters, digits and '_'", secret=True),
    }
    container.done()
    return found


def _webhook(webhook: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {"url": _url(webhook), "retries": webhook.integer("retries", 3, low=0, high=20)}
    found.update(_secrets(webhook))
    if webhook.take("secret") is not None:
        secret = webhook.take("secret")
        if isinstance(secret, str) and re.search(r"\S", secret):
            found["secret"] = plain(secret)
        else:
            webhook.note("secret", "is not a text; write what its receiver checks signatures with, best from a vault")
    webhook.done()
    return found
