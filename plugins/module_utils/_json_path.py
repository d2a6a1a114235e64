# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value inside a JSON document, by a path such as ``checks.db[0].status``; ``[-1]`` is the last one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Union

from ._errors import InputError
from ._units import shown

Steps = tuple[Union[str, int], ...]
PATH_HELP = 'write names with dots and positions in brackets, such as checks.db[0].status or ["a.b"].c'

_STEP = re.compile(r'\.?(?P<name>[^.\[\]"\s$][^.\[\]"\s]*)|\[(?P<index>-?[0-9]{1,9})\]|\["(?P<quoted>[^"]+)"\]')


class MissingError(Exception):
    """The document has nothing there; the text says where it ends."""


def parse(path: str) -> Steps:
    """The steps of ``path``, which may begin with ``$``. Raises InputError."""
    rest = path[1:] if path.startswith("$") else path
    steps: list[Union[str, int]] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        # A dot stands between two names, so the first name has none unless `$` stands before it.
        if not found or (not at and rest.startswith(".") and rest is path):
            raise InputError(f"{shown(path)} is not a path into JSON; {PATH_HELP}")
        index = found.group("index")
        steps.append(int(index) if index is not None else found.group("name") or found.group("quoted"))
        at = found.end()
    if not steps:
        raise InputError(f"{shown(path)} is not a path into JSON; {PATH_HELP}")
    return tuple(steps)


def find(document: Any, steps: Steps) -> Any:
    """The value at ``steps``. Raises MissingError."""
    value = document
    for number, step in enumerate(steps):
        if isinstance(step, int):
            there = isinstance(value, list) and -len(value) <= step < len(value)
        else:
            there = isinstance(value, Mapping) and step in value
        if not there:
            raise MissingError(f"there is no {written(steps[: number + 1])}")
        value = value[step]
    return value


def written(steps: Steps) -> str:
    """``steps`` as a person writes them."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r"[.\[\]\s]|^\$", step):
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text
