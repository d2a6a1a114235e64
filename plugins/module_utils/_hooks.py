# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks of a release: their phases, how one is told from another, its secrets, and its container. Pure.

``Hook`` is an entry of ``hooks`` on the normalised page: ``name``, ``kind``, ``timeout`` (seconds), ``when_failed``,
and under the name of its kind what it does. As with the gates, a page that was read has seals in the place of secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import _container_settings
from ._errors import InputError
from ._gate._secrets import SEAL, opened, scrub

Hook = Mapping[str, Any]

PHASES = (
    "before_deploy",
    "after_deploy",
    "before_stage",
    "after_stage",
    "before_promote",
    "after_promote",
    "on_rollback",
    "after_retire",
)
# What comes after these is done already, and no hook turns it back.
TELLING = ("after_promote", "on_rollback", "after_retire")
KINDS = ("tasks", "container", "webhook")
# A webhook's address is often its password too.
_SECRETS = {"container": ("env",), "webhook": ("url", "secret", "token", "headers")}
_SHORTEST = 4
OUTPUT_LIMIT = 2000


def seal(hooks: Mapping[str, Sequence[Hook]]) -> dict[str, list[dict[str, Any]]]:
    """The same hooks with a seal in the place of every secret."""
    return {phase: [_sealed(hook) for hook in listed] for phase, listed in hooks.items()}


def _sealed(hook: Hook) -> dict[str, Any]:
    kind = hook["kind"]
    if kind not in _SECRETS:
        return dict(hook)
    own = {
        name: value
        if name not in _SECRETS[kind] or not value
        else dict.fromkeys(value, SEAL)
        if isinstance(value, Mapping)
        else SEAL
        for name, value in hook[kind].items()
    }
    return {**hook, kind: own}


def unseal(hook: Hook, page: Optional[Mapping[str, Any]], service: str, phase: str) -> dict[str, Any]:
    """The hook with the secrets of ``page``, its entry there, in the place of the seals. Raises InputError."""
    kind = hook["kind"]
    if kind not in _SECRETS:
        return dict(hook)
    written = (page or {}).get(kind)
    source: Mapping[str, Any] = written if isinstance(written, Mapping) else {}
    place = f"hooks.{phase} {hook['name']}: {kind}"

    def unsealed(value: Any, found: Any, name: str) -> Any:
        where = f"service {service}"
        return opened(value, found, where=where, key=f"{place}.{name}", service=service, hosts="balancers")

    own: dict[str, Any] = {}
    for name, value in hook[kind].items():
        if isinstance(value, Mapping):
            given = source.get(name) or {}
            own[name] = {inner: unsealed(one, given.get(inner), f"{name}.{inner}") for inner, one in value.items()}
        else:
            own[name] = unsealed(value, source.get(name), name)
    return {**hook, kind: own}


def secrets_in(hook: Hook, files: Mapping[str, str]) -> list[str]:
    """Every secret of the hook, and of the ``files`` that its container has, the longest first."""
    kind = hook["kind"]
    # Of a file a command shows a line as easily as all of it.
    found = [part.strip() for text in files.values() for part in (text, *text.splitlines())]
    for name in _SECRETS.get(kind, ()):
        value = hook[kind].get(name)
        found += [str(one) for one in value.values()] if isinstance(value, Mapping) else [str(value or "")]
    return sorted({value for value in found if len(value) >= _SHORTEST}, key=len, reverse=True)


def environment(told: Mapping[str, Any]) -> dict[str, str]:
    """What a command is told of the release, as that of a gate is: ``SLUICE_SERVICE``, ``SLUICE_PHASE`` and so on."""
    return {f"SLUICE_{name.upper()}": str(value) for name, value in told.items() if value not in (None, "")}


def engine_question(told: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``engine_info`` for the containers of the service."""
    return {"service": told["service"], "docker_socket": settings["docker_host"]}


def image_of(answer: Mapping[str, Any], name: str) -> str:
    """The id of the image of the container ``name``, by what ``engine_info`` said. Raises InputError."""
    for container in answer.get("containers") or []:
        if container["name"] == name:
            return str(container["image_id"])
    why = answer.get("msg") or f"there is no container {name} whose image it could have"
    raise InputError(f"the command has no image to run in: {why}")


def container_arguments(
    hook: Hook, told: Mapping[str, Any], settings: Mapping[str, Any], image: str, secrets: bool
) -> dict[str, Any]:
    """Arguments of ``community.docker.docker_container`` for a command in a container of its own, not yet started.

    ``settings``: ``name``, ``docker_host``, ``labels`` and ``page``, the ``container`` of the service's page;
    ``image``: a name or an id; ``secrets``: whether it gets those of the page.
    """
    return {
        **_container_settings.of_command(settings["page"], settings["name"], secrets),
        "name": settings["name"],
        "docker_host": settings["docker_host"],
        "labels": settings["labels"],
        "image": image,
        "command": list(hook["container"]["command"]),
        "command_handling": "correct",
        "env": {**(settings["page"].get("env") or {}), **environment(told), **hook["container"]["env"]},
        "state": "present",
        # What a killed release left behind has the same name.
        "recreate": True,
        "force_kill": True,
        "restart_policy": "no",
        "pull": "never",
    }


def container_problem(answer: Mapping[str, Any], timeout: float, secrets: Sequence[str]) -> Optional[str]:
    """Why a command in a container failed, by what ``container_run`` said; None where it went well."""
    if not answer.get("failed") and not answer.get("unreachable"):
        return None
    message, status = str(answer.get("msg") or ""), answer.get("status")
    # Cut only then: half a secret is not known for one.
    said = scrub(str(answer.get("output") or "").strip(), secrets)[-OUTPUT_LIMIT:]
    if answer.get("timed_out") or (answer.get("unreachable") and message.startswith("no answer in")):
        return f"was not over after {timeout:g} s, its timeout, and was ended{': ' if said else ''}{said}"
    if status is not None:
        return f"ended with exit status {status}: {said or 'it said nothing'}"
    return scrub(message, secrets)[-OUTPUT_LIMIT:] or "its VM did not say why"
