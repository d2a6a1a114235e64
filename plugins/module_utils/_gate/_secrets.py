# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the secrets of gates (tokens, headers, environments of checks) out of whatever anybody may read.

A page that was read is printed with ``-v``, kept as a fact, and stored by AWX; so there a seal stands in the place of
each secret, and the gate takes the secret itself from the page, at the last moment. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .._errors import InputError

SEAL = "(secret, on the page)"
_SECRETS = ("token", "headers", "env")
# Shorter ones would take half of every sentence with them.
_SHORTEST = 4


def _asking(gates: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything in ``gates`` that may have secrets, each with its name on the page."""
    for gate in ("errors", "latency"):
        if isinstance(gates.get(gate), Mapping):
            yield gate, gates[gate]
    for threshold in gates.get("thresholds") or []:
        if isinstance(threshold, Mapping):
            yield f"threshold {threshold.get('name')}", threshold


def seal(gates: Mapping[str, Any]) -> dict[str, Any]:
    """The same gates with a seal in the place of every secret."""
    sealed = {**gates}
    for gate in ("errors", "latency"):
        if gate in gates:
            sealed[gate] = _sealed(gates[gate])
    if "thresholds" in gates:
        sealed["thresholds"] = [_sealed(threshold) for threshold in gates["thresholds"]]
    return sealed


def _sealed(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        if key not in _SECRETS or not value
        else dict.fromkeys(value, SEAL)
        if isinstance(value, Mapping)
        else SEAL
        for key, value in options.items()
    }


def is_sealed(gates: Mapping[str, Any]) -> bool:
    """Whether a seal stands anywhere in ``gates``."""
    return SEAL in _values(gates)


def unseal(gates: Mapping[str, Any], page: Optional[Mapping[str, Any]], service: str) -> dict[str, Any]:
    """The gates with the secrets of ``page`` (the page's ``gates``) in the place of the seals. Raises InputError."""
    known = dict(_asking(page or {}))
    found = {**gates}

    def unsealed(value: Any, secret: Any, key: str) -> Any:
        where = f"metrics_gate of service {service}"
        return opened(value, secret, where=where, key=key, service=service, hosts="balancers")

    def with_secrets(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        source = known.get(name, {})
        result = {**options}
        for key in _SECRETS:
            value = options.get(key)
            if isinstance(value, Mapping):
                given = source.get(key) or {}
                result[key] = {k: unsealed(v, given.get(k), f"{name}.{key}.{k}") for k, v in value.items()}
            elif value is not None:
                result[key] = unsealed(value, source.get(key), f"{name}.{key}")
        return result

    for name, options in _asking(gates):
        if name in ("errors", "latency"):
            found[name] = with_secrets(name, options)
    if gates.get("thresholds"):
        found["thresholds"] = [with_secrets(f"threshold {entry.get('name')}", entry) for entry in gates["thresholds"]]
    return found


def opened(value: Any, secret: Any, *, where: str, key: str, service: str, hosts: str) -> Any:
    """``value``, or in the place of a seal ``secret``, which is what the page has at ``key``. Raises InputError.

    ``where`` begins the message, and ``hosts`` are those for which the secret must be on the page too.
    """
    if value != SEAL:
        return value
    if secret is None:
        raise InputError(
            f"{where}: the secret {key} is not to be found on the page bluegreen_services.{service} here; it must be "
            f"there for the {hosts} too, as in group_vars/all"
        )
    # A vaulted value of an older ansible-core is no str, but decrypts as one; a newer one's may carry tags.
    return "".join(str(secret))


def _values(gates: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for _, options in _asking(gates):
        for key in _SECRETS:
            value = options.get(key)
            found += [str(entry) for entry in value.values()] if isinstance(value, Mapping) else [str(value or "")]
    return found


def secrets_in(gates: Mapping[str, Any]) -> list[str]:
    """Every secret of the gates, the longest first."""
    return sorted({value for value in _values(gates) if len(value) >= _SHORTEST}, key=len, reverse=True)


def scrub(text: str, secrets: Sequence[str]) -> str:
    """``text`` with every secret replaced: a server may well repeat what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def without(value: Any, secrets: Sequence[str]) -> Any:
    """The same value with every secret in its texts replaced, whatever brought it there."""
    if isinstance(value, dict):
        return {name: without(entry, secrets) for name, entry in value.items()}
    if isinstance(value, list):
        return [without(entry, secrets) for entry in value]
    return scrub(value, secrets) if isinstance(value, str) else value
