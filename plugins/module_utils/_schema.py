# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a dictionary that a person wrote: strict types, unknown keys refused, every problem with its path. Pure.

Ansible's own argument specs turn ``true`` and ``1.10`` into strings, report one level at a time and do not say where in
a list a key is; what a person writes into the inventory deserves better.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional, TypeVar, Union

from ._errors import InputError
from ._units import is_number, named, percent, points, seconds, shown

T = TypeVar("T")


class Problem(NamedTuple):
    """What is wrong at which key, written as a path such as ``gates.thresholds[0].max``."""

    key: str
    text: str


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """``; did you mean 'x'?`` where one of ``known`` is close to ``word``, else nothing."""
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(word: Any, known: Sequence[str], kind: str = "keys") -> str:
    """The rest of a sentence on an unknown word: a guess, and what is known."""
    guess = did_you_mean(word, known)
    return f"{guess or '.'} Known {kind}: {', '.join(known) or 'none'}"


def refuse_unknown(given: Mapping[Any, Any], known: Sequence[str], what: str) -> None:
    """Raises InputError for the first key of ``given`` that is not ``known``."""
    for key in given:
        if key not in known:
            raise InputError(f"{what}.{key}: unknown key{unknown(key, known)}")


def is_list(value: Any) -> bool:
    """A list or tuple, as YAML and Ansible give it."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


class Reader:
    """One dictionary of a page, read key by key.

    The keys that are known are the keys that were asked for. A problem is noted in ``problems``, which a reader shares
    with its sections, and reading goes on with a placeholder, so that a person sees everything that is wrong at once.
    The caller ends with :meth:`done` and looks at ``problems`` before using what was read. A key that is there but
    empty (``None``) counts as left out.
    """

    def __init__(
        self,
        given: Any,
        path: str = "",
        problems: Optional[list[Problem]] = None,
        special: Optional[Mapping[str, str]] = None,
    ) -> None:
        """``special``: path → what to say of a key that is not known, but that a person may well try."""
        self.path = path
        self.problems: list[Problem] = [] if problems is None else problems
        self.special = special or {}
        self.known: list[str] = []
        self.given: Mapping[Any, Any] = {}
        if isinstance(given, Mapping):
            self.given = given
        else:
            self.note("", f"{shown(given)} is {kind(given)}, not a dictionary")
            # What is missing in something that is not even a dictionary is nothing that a person wants to hear.
            self.problems = []

    def at(self, key: str) -> str:
        """The path of ``key``."""
        return ".".join(part for part in (self.path, key) if part)

    def note(self, key: str, text: str) -> None:
        """Note a problem with ``key`` (the dictionary itself where it is empty)."""
        self.problems.append(Problem(self.at(key), text))

    def has(self, key: str) -> bool:
        """Whether ``key`` is given, and not empty."""
        return self.given.get(key) is not None

    def take(self, key: str) -> Any:
        """The value as given, or ``None``; makes ``key`` a known one."""
        if key not in self.known:
            self.known.append(key)
        return self.given.get(key)

    def _read(self, key: str, read: Callable[[Any], T], default: Optional[T], placeholder: T, missing: str) -> T:
        value = self.take(key)
        if value is None:
            if default is None:
                self.note(key, f"is missing; {missing}")
                return placeholder
            return default
        try:
            return read(value)
        except InputError as error:
            self.note(key, str(error))
            return placeholder

    def text(
        self,
        key: str,
        default: Optional[str] = None,
        *,
        pattern: str = r".+",
        wanted: str = "write a text that is not empty",
    ) -> str:
        """A string that matches ``pattern`` wholly; required without a default."""

        def read(value: Any) -> str:
            if not isinstance(value, str):
                raise InputError(f"{shown(value)} is {kind(value)}, not a text; put it in quotes if it is meant so")
            if not re.fullmatch(pattern, value):
                raise InputError(f"{shown(value)} does not fit; {wanted}")
            return plain(value)

        return self._read(key, read, default, "", wanted)

    def choice(self, key: str, choices: Sequence[str], default: Optional[str] = None) -> str:
        """One of ``choices``."""

        def read(value: Any) -> str:
            if not isinstance(value, str) or value not in choices:
                raise InputError(f"{shown(value)} is not known{unknown(value, choices, 'values')}")
            return plain(value)

        return self._read(key, read, default, choices[0], f"write one of {', '.join(choices)}")

    def integer(self, key: str, default: Optional[int] = None, *, low: int, high: int, wanted: str = "") -> int:
        """A whole number from ``low`` to ``high``; digits in quotes are one too, as templates give them."""
        wanted = wanted or f"write a whole number from {low} to {high}"
        return self._read(key, lambda value: whole(value, low, high, wanted), default, low, wanted)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false, also as the words that a template makes of them."""

        def read(value: Any) -> bool:
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "yes", "on", "false", "no", "off"):
                return value.lower() in ("true", "yes", "on")
            raise InputError(f"{shown(value)} is {kind(value)}; write true or false")

        return self._read(key, read, default, default, "write true or false")

    def duration(self, key: str, default: float, *, low: float = 0, high: float = 86400 * 365) -> float:
        """Seconds, from ``low`` to ``high``."""
        return self._number(key, seconds, default, low, high, "s")

    def percentage(self, key: str, default: float, *, low: float = 0, high: float = 100) -> float:
        """Per cent, from ``low`` to ``high``."""
        return self._number(key, percent, default, low, high, "%")

    def points(self, key: str, default: float, *, low: float, high: float = 100) -> float:
        """Percentage points, from ``low`` to ``high``."""
        return self._number(key, points, default, low, high, "percentage points")

    def number(
        self, key: str, default: Optional[float] = None, *, low: float = float("-inf"), high: float = float("inf")
    ) -> float:
        """Any number, from ``low`` to ``high``."""
        return self._number(key, _number, default, low, high, "")

    def _number(
        self, key: str, unit: Callable[[Any, str], float], default: Optional[float], low: float, high: float, name: str
    ) -> float:
        def read(value: Any) -> float:
            number = unit(value, "")
            if not low <= number <= high:
                span = f"must be from {low:g} to {high:g}" if high < float("inf") else f"must be at least {low:g}"
                raise InputError(f"{shown(value)} is out of range; it {span} {name}".rstrip())
            return number

        return self._read(key, read, default, 0.0, "write a number")

    def section(self, key: str, *, required: str = "") -> Reader:
        """A dictionary below ``key``; empty where left out, unless ``required`` says what to write."""
        value = self.take(key)
        if value is None and required:
            self.note(key, f"is missing; {required}")
            return Reader({}, self.at(key), [], self.special)
        return Reader({} if value is None else value, self.at(key), self.problems, self.special)

    def sections(self, key: str) -> list[Reader]:
        """A list of dictionaries below ``key``; empty where left out."""
        value = self.take(key)
        if value is None:
            return []
        if not is_list(value):
            self.note(key, f"{shown(value)} is {kind(value)}, not a list of dictionaries")
            return []
        return [Reader(item, f"{self.at(key)}[{i}]", self.problems, self.special) for i, item in enumerate(value)]

    def texts(self, key: str, *, pattern: str, wanted: str, secret: bool = False) -> dict[str, str]:
        """A dictionary of names that match ``pattern`` to texts; whole numbers become texts.

        Booleans and fractions are refused, since YAML has changed them already (``yes``, ``1.10``). ``secret`` keeps
        the values out of messages.
        """
        value = self.take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.note(key, f"{kind(value)} is not a dictionary of names and texts")
            return {}
        read: dict[str, str] = {}
        for name, item in value.items():
            if not isinstance(name, str) or not re.fullmatch(pattern, name):
                self.note(key, f"{shown(name)} is not a usable name; {wanted}")
            elif isinstance(item, str) or _is_vaulted(item) or (isinstance(item, int) and not isinstance(item, bool)):
                read[plain(name)] = plain(str(item))
            else:
                what = kind(item) if secret else f"{shown(item)}, {kind(item)}"
                self.note(
                    f"{key}.{name}", f"is {what}, not a text; put it in quotes, as YAML may have changed it already"
                )
        return read

    def done(self) -> None:
        """Note every key that was given and never asked for."""
        for key in self.given:
            if key not in self.known:
                words = self.special.get(self.at(str(key)))
                self.note(str(key), words or f"unknown key{unknown(key, self.known)}")


def _number(value: Any, what: str) -> float:
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if is_number(number):
            return number
    raise InputError(f"{named(what)}{shown(value)} is not a number")


def _is_vaulted(value: Any) -> bool:
    # ansible-core before 2.19 hands an encrypted variable over as an object that is no str, but decrypts as one.
    return type(value).__name__ == "AnsibleVaultEncryptedUnicode"


def plain(value: str) -> str:
    """The same text without what ansible-core may have tagged it with."""
    return "".join(value)


def kind(value: Any) -> str:
    """What a value is, in a word that a person uses for it."""
    words: list[tuple[Union[type, tuple[type, ...]], str]] = [
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a text"),
        (Mapping, "a dictionary"),
        ((list, tuple), "a list"),
    ]
    return next((word for types, word in words if isinstance(value, types)), f"a {type(value).__name__}")


def whole(value: Any, low: int, high: int, wanted: str) -> int:
    """A whole number from ``low`` to ``high``, also as digits in a text. InputErrors end with ``wanted``."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,15}", value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{shown(value)} is not a whole number; {wanted}")
    if not low <= value <= high:
        raise InputError(f"{shown(value)} is out of range; {wanted}")
    return int(value)
