# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page says of an image: how it is built, where it comes from, who vouches for it, how VMs get it. Pure."""

from __future__ import annotations

import re
from typing import Any, Optional, Union

from ._errors import InputError
from ._schema import Reader, is_list, plain, whole
from ._units import shown

_PLACEHOLDERS = ("service", "version")
_ARG = r"[A-Za-z_][A-Za-z0-9_]*"
_SOURCES = ("registry", "archive")


def read_deploy(top: Reader, name: str, version: Optional[str]) -> dict[str, Any]:
    """``archive`` has its placeholders filled in where the version is known, and is empty for the registry."""
    deploy = top.section("deploy")
    source = deploy.choice("source", _SOURCES, "archive" if deploy.has("archive") else "registry")
    found: dict[str, Any] = {
        "source": source,
        "archive": _archive(deploy, source, name, version),
        "sha256": _sha256(deploy, source),
        "login": _login(deploy, source),
        "verify": _verify(deploy),
        "serial": _share(deploy, "serial", "100%", low=1),
        "max_failures": _share(deploy, "max_failures", 0, low=0),
        "keep_images": deploy.integer("keep_images", 3, low=1, high=1000),
    }
    deploy.done()
    return found


def _archive(deploy: Reader, source: str, name: str, version: Optional[str]) -> str:
    if source == "registry":
        if deploy.take("archive") is not None:
            deploy.note("archive", "is not used with 'source: registry'; leave one of them out")
        return ""
    archive = deploy.text(
        "archive", wanted="write where on the controller an image lies, such as images/{service}-{version}.tar"
    )
    strangers = sorted(set(re.findall(r"\{([^{}]*)\}", archive)) - set(_PLACEHOLDERS))
    if strangers:
        deploy.note("archive", f"unknown placeholder {{{strangers[0]}}}; known are {{service}} and {{version}}")
    elif archive and "{version}" not in archive:
        deploy.note(
            "archive", f"{shown(archive)} does not contain {{version}}, so every version would be the same file"
        )
    archive = archive.replace("{service}", name)
    return archive if version is None else archive.replace("{version}", version)


def _sha256(deploy: Reader, source: str) -> Optional[str]:
    if deploy.take("sha256") is None:
        return None
    if source == "registry":
        deploy.note("sha256", "is that of an archive; for a registry give the version with its digest, 2.1.0@sha256:…")
        return None
    return deploy.text("sha256", pattern=r"[0-9a-f]{64}", wanted="write the 64 hex digits that sha256sum prints")


def _login(deploy: Reader, source: str) -> Optional[dict[str, str]]:
    if deploy.take("login") is None:
        return None
    if source == "archive":
        deploy.note("login", "belongs to a registry, and the image comes from an archive; leave it out")
    login = deploy.section("login")
    found = {"username": login.text("username", wanted="write who logs in to the registry"), "password": ""}
    # As a dictionary, whose values stay out of messages.
    word = Reader({"password": {"password": login.take("password")}}).texts(
        "password", pattern="password", wanted="", secret=True
    )
    if not word.get("password"):
        login.note("password", "is missing or no text; give it from Vault or the environment, and in quotes")
    login.done()
    return {**found, **word}


def _verify(deploy: Reader) -> Optional[dict[str, Any]]:
    if deploy.take("verify") is None:
        return None
    verify = deploy.section("verify")
    command = verify.take("command")
    wanted = "write the command as a list of words, such as [cosign, verify, --key, cosign.pub, $image]"
    words: list[str] = []
    if not is_list(command) or not command or not all(isinstance(word, str) and word for word in command):
        verify.note("command", f"{'is missing' if command is None else shown(command) + ' does not fit'}; {wanted}")
    else:
        words = [plain(word) for word in command]
    found = {
        "command": words,
        "on": verify.choice("on", ("controller", "vm"), "controller"),
        "timeout": verify.duration("timeout", 120, low=1, high=3600),
    }
    verify.done()
    return found


def _share(reader: Reader, key: str, default: Union[int, str], low: int) -> Union[int, str]:
    """A number of VMs, or per cent of them, as Ansible takes it."""
    value = reader.take(key)
    if value is None:
        return default
    wanted = f"write a number of VMs such as 2, or per cent of them from {low}% to 100%"
    try:
        if isinstance(value, str) and value.endswith("%"):
            return f"{whole(value[:-1], low, 100, wanted)}%"
        return whole(value, low, 100000, wanted)
    except InputError as error:
        reader.note(key, str(error))
        return default


def budget(max_failures: Union[int, str], vms: int) -> int:
    """How many of ``vms`` may fail before no further batch begins; per cent are rounded down."""
    if isinstance(max_failures, str):
        return int(max_failures.rstrip("%")) * vms // 100
    return int(max_failures)


def read_build(top: Reader) -> Optional[dict[str, Any]]:
    """How the image is built, or ``None`` where the page does not say."""
    if top.take("build") is None:
        return None
    build = top.section("build")
    args = build.texts("args", pattern=_ARG, wanted="use letters, digits and '_'")
    found: dict[str, Any] = {
        "context": build.text("context", ".", wanted="write the folder of the Dockerfile"),
        "dockerfile": build.text("dockerfile", "Dockerfile", wanted="write its path in the context"),
        "args": args,
        "target": None if build.take("target") is None else build.text("target"),
        "host": build.text("host", "localhost", pattern=r"[^\s:,\[\]{}]+", wanted="write the name of a host"),
        "network": None if build.take("network") is None else build.text("network"),
        "pull": build.boolean("pull", True),
    }
    if found["host"] != "localhost" and not found["context"].startswith("/"):
        build.note("context", f"{shown(found['context'])} is a folder on {found['host']}; write its whole path, from /")
    build.done()
    return found
