# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is committed: the service's file on the balancer's disk, read, rewritten and validated. HAProxy is not told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._errors import BalancerError, InputError
from ._stats import SPARE
from ._users import FIRST_COLOR, threshold, variables
from ._weights import MAX_WEIGHT, WAYS

HAPROXY = "/usr/sbin/haproxy"
MAIN_CONFIG = "/etc/haproxy/haproxy.cfg"
COLORS = ("blue", "green")
MAIN = "Main"
"""What the main configuration calls its revision; no service can be called so."""

_HEADER = re.compile(r"^# sluice\.bluegreen service=(?P<service>\S+) shares=(?P<shares>\{.*\})\s*$")
_SERVER = re.compile(r"^(?P<before>\s*server\s+(?P<name>\S+)\s+\S+(?:\s+\S+)*?\s+weight\s+)(?P<weight>\d+)(?=\s|$)")
_TRACKING = re.compile(r"^\s*server\s+(?P<name>\S+)\s+\S+\s+(?:.*\s)?track\s+(?P<tracked>\S+)")
_USERS = re.compile(
    r"^(?P<before>\s*(?:setenv\s+sluice_Users_\S+\s+"
    r"|(?:http-request|tcp-request content) set-var\(txn\.sluice_users\) str\(users\),map_str_int\([^,()]+,))"
    r"(?P<users>-?\d+)(?=[\s)]|$)"
)
_SECTION = re.compile(r"^\s*(?P<kind>[a-z][a-z-]*)(?:\s+(?P<name>\S+))?")
_SECTIONS = re.compile(
    "global|defaults|frontend|backend|listen|peers|resolvers|mailers|userlist|cache|program|http-errors|ring"
    "|log-forward|fcgi-app|crt-store|traces"
)
_ALERT = re.compile(r"^\[ALERT\]\s+(?:\S+\s+)?\(\d+\)\s*:\s*(?:config\s*:\s*)?")
_CHECK_SECONDS = 120


@dataclass(frozen=True)
class CommitResult:
    """The service's file ``before`` and ``after``; the same text where the split was committed already."""

    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


def header_line(service: str, shares: Mapping[str, float]) -> str:
    """The first line of a service's file, which says what is committed."""
    ordered = {color: float(shares[color]) for color in sorted(shares)}
    return f"# sluice.bluegreen service={service} shares={json.dumps(ordered)}"


def committed_shares(text: str) -> dict[str, float]:
    """The committed share of each color in per cent, from the header of a service's file.

    Raises ``BalancerError`` where the header is missing or not readable.
    """
    match = _HEADER.match(text.split("\n", 1)[0])
    try:
        shares = json.loads(match["shares"]) if match else None
        return {str(color): float(share) for color, share in shares.items()}  # type: ignore[union-attr]
    except (ValueError, AttributeError, TypeError) as error:
        raise BalancerError(
            "The first line is not `# sluice.bluegreen service=… shares={…}`: this is not a service's file of this "
            "collection, or somebody edited it. Move it away and run sluice.bluegreen.site.",
            first_line=text.split("\n", 1)[0][:200],
        ) from error


def committed_weights(text: str, backend: str) -> dict[str, int]:
    """The weight of every server of ``backend``, as the disk has it. Raises ``BalancerError`` without that backend."""
    weights = {}
    found = False
    for section, line in with_section(text):
        if section != ("backend", backend):
            continue
        found = True
        match = _SERVER.match(line)
        if match:
            weights[match["name"]] = int(match["weight"])
        elif line.split()[:1] == ["server"] and line.split()[1:2] != [SPARE]:
            raise BalancerError(
                f"A server of backend {backend} has no weight on its line, so somebody edited the file: "
                f"{line.strip()[:120]}. Run sluice.bluegreen.site.",
                backend=backend,
            )
    if not found:
        raise BalancerError(f"There is no backend {backend} in this file. Run sluice.bluegreen.site.", backend=backend)
    return weights


def committed_colors(text: str, service: str, colors: Sequence[str] = COLORS) -> dict[str, list[str]]:
    """The servers of each color in the order of the file, from the color backends ``<service>_<color>``."""
    servers: dict[str, list[str]] = {color: [] for color in colors}
    backends = {f"{service}_{color}": color for color in colors}
    for section, line in with_section(text):
        if section[0] != "backend" or section[1] not in backends:
            continue
        match = _TRACKING.match(line)
        if match:
            servers[backends[section[1]]].append(match["name"])
    return servers


def split_by(text: str, service: str) -> str:
    """The way that the service's file splits the traffic, one of ``_weights.WAYS``."""
    # A pattern that begins with ^ is tried at every character, which takes longest where there are most servers.
    match = re.search(rf"\n\s*setenv\s+sluice_By_{re.escape(service)}\s+(\S+)\s*$", text, re.MULTILINE)
    return match[1] if match else WAYS[0]


def committed_users(text: str, service: str) -> int | None:
    """The committed threshold of a split by user; None where the file splits in another way."""
    name = re.escape(variables(service)[1])
    match = re.search(rf"^\s*setenv\s+{name}\s+(-?\d+)\s*$", text, re.MULTILINE)
    return int(match[1]) if match else None


def committed_capacities(text: str, service: str, colors: Sequence[str] = COLORS) -> dict[str, int]:
    """How much each server carries beside the others of its color: its weight in ``<service>_<color>``, 1 without."""
    backends = [("backend", f"{service}_{color}") for color in colors]
    capacities = {}
    for section, line in with_section(text):
        match = _TRACKING.match(line) if section in backends else None
        if match:
            weight = re.search(r"\sweight\s+(\d+)(?=\s|$)", line)
            capacities[match["name"]] = int(weight[1]) if weight else 1
    return capacities


def with_weights(text: str, backend: str, weights: Mapping[str, int], shares: Mapping[str, float]) -> str:
    """``text`` with other weights in ``backend`` and other shares in its header; every other byte stays.

    Where it splits by user, the threshold that belongs to the weights goes with them.

    Raises ``BalancerError`` where the servers of the file are not those of ``weights``, ``InputError`` for a weight
    outside of 0 to 256.
    """
    committed_shares(text)
    present = committed_weights(text, backend)
    missing, unexpected = sorted(set(weights) - set(present)), sorted(set(present) - set(weights))
    if missing or unexpected:
        raise BalancerError(
            f"The servers of backend {backend} on disk are not the expected ones: missing {missing or 'none'}, "
            f"unexpected {unexpected or 'none'}. Run sluice.bluegreen.site.",
            backend=backend,
            missing=missing,
            unexpected=unexpected,
        )
    for name, weight in weights.items():
        if not 0 <= weight <= MAX_WEIGHT:
            raise InputError(f"The weight {weight} of {name} is outside of 0 to {MAX_WEIGHT}.", server=name)
    users = threshold(weights, committed_colors(text, backend)[FIRST_COLOR])
    lines = []
    for section, line in with_section(text):
        server = _SERVER.match(line) if section == ("backend", backend) else None
        match = server or _USERS.match(line)
        value = weights[server["name"]] if server else users
        lines.append(f"{match['before']}{value}{line[match.end() :]}" if match else line)
    first = lines[0]
    service = _HEADER.match(first.rstrip("\r\n"))["service"]  # type: ignore[index]
    lines[0] = header_line(service, shares) + first[len(first.rstrip("\r\n")) :]
    return "".join(lines)


def is_service_file(text: str) -> bool:
    """Whether the first line is a header of this collection."""
    return bool(_HEADER.match(text.split("\n", 1)[0]))


def revision(text: str, name: str) -> str | None:
    """The revision that a file gives itself, a digest of everything in it but the committed split.

    ``name`` is the service's, or ``MAIN``. HAProxy tells the revision that it has loaded by `show env sluice_<name>`.
    """
    match = re.search(rf"^\s*setenv\s+sluice_{re.escape(name)}\s+(\S+)\s*$", text, re.MULTILINE)
    return match[1] if match else None


def check_config(
    haproxy_binary: str, main_cfg: str, conf_dir: str, replaced_path: str | None = None, new_text: str = ""
) -> None:
    """Let HAProxy validate its whole configuration, as if ``replaced_path`` had ``new_text`` already.

    ``replaced_path`` is ``main_cfg`` or a file directly in ``conf_dir``, whether it exists yet or not; without it the
    configuration is taken as it is. Raises ``BalancerError`` with HAProxy's own alerts (detail ``alerts``).
    """
    replaced = Path(replaced_path) if replaced_path else None
    if replaced and replaced != Path(main_cfg) and (replaced.parent != Path(conf_dir) or replaced.suffix != ".cfg"):
        raise InputError(f"{replaced} is neither {main_cfg} nor a file *.cfg in {conf_dir}.")
    with tempfile.TemporaryDirectory(prefix="sluice-check-") as scratch:
        copies = Path(scratch) / "conf.d"
        copies.mkdir()
        for source in sorted(Path(conf_dir).glob("*.cfg")):
            if not source.name.startswith("."):
                shutil.copyfile(source, copies / source.name)
        main = Path(main_cfg)
        if replaced == main:
            main = Path(scratch) / main.name
            _write(main, new_text)
        elif replaced:
            _write(copies / replaced.name, new_text)
        output, failed = _run_check(haproxy_binary, main, copies)
        if failed:
            alerts = _alerts(output, {str(copies): conf_dir, str(main): main_cfg})
            subject = f"with the new {replaced}" if replaced else f"of {main_cfg} and {conf_dir}"
            raise BalancerError(
                f"HAProxy refuses the configuration {subject}; nothing was changed: {' '.join(alerts)}",
                path=str(replaced or main_cfg),
                alerts=alerts,
            )


def read_service_file(path: str) -> str | None:
    """The text of a service's file, byte for byte, or nothing where there is none yet."""
    try:
        return _read(Path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BalancerError(f"Cannot read {path}: {error.strerror or error}.", path=path) from error


def commit(
    path: str,
    backend: str,
    weights: Mapping[str, int],
    shares: Mapping[str, float],
    haproxy_binary: str = HAPROXY,
    main_cfg: str = MAIN_CONFIG,
    check_mode: bool = False,
) -> CommitResult:
    """Make a split durable: write it into the service's file at ``path``, or leave that exactly as it was.

    The whole configuration is validated with the new text first; the new file then takes the place of the old one in
    one step that a crash or a loss of power cannot halve. HAProxy is not reloaded, it has the weights at runtime.
    Raises ``BalancerError`` where there is no such file, its servers are others, or HAProxy refuses it.
    """
    before = read_service_file(path)
    if before is None:
        raise BalancerError(f"There is no {path} on this balancer. Run sluice.bluegreen.site.", path=path)
    try:
        after = with_weights(before, backend, weights, shares)
    except BalancerError as error:
        raise BalancerError(f"{path}: {error}", **{**error.details, "path": path}) from error
    if after != before:
        check_config(haproxy_binary, main_cfg, str(Path(path).parent), path, after)
        if not check_mode:
            try:
                _replace(Path(path), after)
            except OSError as error:
                raise BalancerError(f"Cannot write {path}, it is as it was: {error.strerror}.", path=path) from error
    return CommitResult(before, after)


def with_section(text: str) -> list[tuple[tuple[str, str], str]]:
    """Every line, its end included, with the kind and name of the section that it belongs to."""
    section = ("", "")
    result = []
    for line in text.splitlines(keepends=True):
        match = _SECTION.match(line)
        if match and _SECTIONS.fullmatch(match["kind"]):
            section = (match["kind"], match["name"] or "")
        result.append((section, line))
    return result


def _run_check(binary: str, main: Path, conf_dir: Path) -> tuple[str, bool]:
    command = [binary, "-c", "-f", str(main), "-f", str(conf_dir)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_CHECK_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise BalancerError(
            f"There is no {binary}: HAProxy is not installed on this balancer. Run sluice.bluegreen.site.", path=binary
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BalancerError(
            f"`haproxy -c` took longer than {_CHECK_SECONDS} s; a server's name that does not resolve can do that.",
            command=" ".join(command),
        ) from error
    except OSError as error:
        raise BalancerError(f"Cannot run {binary}: {error.strerror or error}.", path=binary) from error
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode < 0:
        output += f"\n`haproxy -c` was ended by signal {-done.returncode}."
    return output, done.returncode != 0


def _alerts(output: str, places: Mapping[str, str]) -> list[str]:
    """HAProxy's alerts with the paths that the user knows, without its process numbers."""
    for scratch, real in places.items():
        output = output.replace(scratch, real)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    alerts = [_ALERT.sub("", line) for line in lines if _ALERT.match(line)]
    # The lines that only sum up say nothing where there are others.
    return [alert for alert in alerts if "found in configuration" not in alert] or alerts or lines[-5:] or ["no reason"]


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)


def _replace(path: Path, text: str) -> None:
    status = path.stat()
    # HAProxy reads every *.cfg of the folder, so the half-written file must not end in that.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
