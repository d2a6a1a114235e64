"""One balancer as a step finds it: HAProxy, the service's files, and a stand-in for systemd's timers."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease_expired, _lock, _split, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import read_json
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config, _shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import process_info, server_states
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

# It lies in the folder beside this one, and whoever needs it gets it here.
from haproxy_process import HAProxy as HAProxy  # noqa: E402
from haproxy_process import WebServer as WebServer  # noqa: E402
from haproxy_process import get as get  # noqa: E402
from haproxy_process import haproxy_program as haproxy_program  # noqa: E402
from haproxy_process import open_port  # noqa: E402
from haproxy_process import web_servers as web_servers  # noqa: E402

SERVERS = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
STABLE = {"blue": 100.0, "green": 0.0}
ALL_GREEN = {"blue": 0.0, "green": 100.0}
SPLIT_5 = {"blue": 95.0, "green": 5.0}
SPLIT_25 = {"blue": 75.0, "green": 25.0}
LEASE = 30.0


def weights(shares: Mapping[str, float]) -> dict[str, int]:
    return split_weights(SERVERS, shares)


class Timers:
    """Keeps what systemd would be told in a file, so that it outlives the process that told it."""

    problem = None

    def __init__(self, log: Path) -> None:
        self.log = log
        self.log.touch()

    def start(self, unit: str, seconds: float, command: Sequence[str]) -> None:
        self._write({"start": unit, "seconds": seconds, "command": list(command)})

    def stop(self, unit: str) -> None:
        self._write({"stop": unit})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    @property
    def told(self) -> list[str]:
        """``start UNIT`` and ``stop UNIT``, in order."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [f"start {line['start']}" if "start" in line else f"stop {line['stop']}" for line in lines]

    @property
    def running(self) -> dict[str, list[str]]:
        """The command of every timer that was started and not stopped."""
        found: dict[str, list[str]] = {}
        for line in map(json.loads, self.log.read_text(encoding="utf-8").splitlines()):
            if "start" in line:
                found[line["start"]] = line["command"]
            else:
                found.pop(line["stop"], None)
        return found


class Machine:
    """A balancer; service ``shop`` has two servers a color."""

    def __init__(self, haproxy: HAProxy, folder: Path, committed: Mapping[str, float] = STABLE) -> None:
        self.haproxy = haproxy
        self.program = haproxy.program
        self.folder = folder
        self.paths = ServicePaths("shop", str(folder / "lib"), str(folder / "run"), str(haproxy.conf_dir))
        self.timers = Timers(folder / "timers.jsonl")
        self.saved_weights: dict[str, dict[str, int]] = {}
        self.write(committed)

    def write(self, committed: Mapping[str, float], ports: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """The service's file, as ``site`` writes it."""
        ports = ports or {color: dict.fromkeys(names, open_port()) for color, names in SERVERS.items()}
        of_color = {color: list(names) for color, names in ports.items()}
        self.haproxy.service(ports, split_weights(of_color, committed), committed)

    def begin(self, release_id: str, version: str = "v2") -> None:
        """Take the lock, from whoever has it, and open the journal, as ``deploy`` does."""
        _lock.acquire(self.paths, release_id, "alice@ci", 900, takeover=True)
        self.note("release_started", release_id, {"version": version, "color": "green", "owner": "alice@ci"})
        self.note("deployed", release_id, {})

    def begin_again(self, release_id: str, resumes: str) -> None:
        """Go on with a release under an id of its own, as ``promote`` does out of a pause."""
        _lock.acquire(self.paths, release_id, "alice@ci", 900, takeover=True)
        self.note("release_resumed", release_id, {"resumes": resumes, "version": "v2", "owner": "alice@ci"})

    def note(self, event: str, release_id: str | None = "r1", data: Mapping[str, Any] | None = None) -> None:
        _journal.append(self.paths.journal, event, release_id, dict(data or {}))

    def balancer(self, **changes: Any) -> _split.Balancer:
        socket = self.haproxy.socket
        given = {"sock": RuntimeSocket(socket), "timer": self.timers, "commit": self.commit, **changes}
        return _split.Balancer(self.paths, socket_path=socket, **given)

    def commit(self, target: Mapping[str, int], shares: Mapping[str, float], dry_run: bool) -> bool:
        return _config.commit(
            str(self.paths.config), "shop", target, shares, self.program, str(self.haproxy.main), dry_run
        ).changed

    def step(self, shares: Mapping[str, float] | None, **changes: Any) -> _split.Step:
        given = {"release_id": "r1", "servers": SERVERS, "lease": LEASE, "commit": False, **changes}
        return _split.Step(shares=shares, **given)

    def take(
        self, shares: Mapping[str, float] | None, check_mode: bool = False, edges: Any = None, **changes: Any
    ) -> _split.Outcome:
        """Take a step; ``edges`` replace those of :meth:`balancer`."""
        return _split.take_step(self.step(shares, **changes), self.balancer(**(edges or {})), check_mode)

    def promote(self, **changes: Any) -> _split.Outcome:
        data = {"version": "v2", "color": "green"}
        return self.take(ALL_GREEN, commit=True, events=[{"event": "promoted", "data": data}], **changes)

    def back(self, shares: Mapping[str, float] = STABLE, **changes: Any) -> _split.Outcome:
        """Back to safety, as a gate or a person orders it."""
        event = {"event": "rolled_back", "data": {"cause": "gate"}}
        return self.take(shares, **{"commit": True, "journal_required": False, "events": [event], **changes})

    def set_runtime(self, target: Mapping[str, int]) -> None:
        _shift.shift(self.haproxy.runtime, "shop", target)

    @property
    def runtime(self) -> dict[str, int]:
        return {name: state.weight for name, state in server_states(self.haproxy.runtime, "shop").items()}

    @property
    def pid(self) -> int:
        return int(process_info(self.haproxy.runtime).pid)

    @property
    def disk(self) -> dict[str, int]:
        return _config.committed_weights(self.paths.config.read_text(), "shop")

    @property
    def disk_shares(self) -> dict[str, float]:
        return _config.committed_shares(self.paths.config.read_text())

    @property
    def lease(self) -> dict[str, Any] | None:
        return read_json(self.paths.lease)

    @property
    def events(self) -> list[str]:
        return [event["event"] for event in _journal.read(self.paths.journal).events]

    @property
    def state(self) -> dict[str, Any]:
        return _state.derive(_journal.read(self.paths.journal).events)

    @property
    def led(self) -> bool:
        """Whether runtime leads the disk under a lease whose timer runs."""
        return self.lease is not None and self.lease["unit"] in self.timers.running

    def break_configuration(self) -> Path:
        broken = Path(self.paths.config_dir, "broken.cfg")
        broken.write_text("nonsense\n")
        return broken

    def seen(self) -> dict[str, Any]:
        """Everything that a step could change: weights, and every file but the empty mutex, with its content."""
        files = [
            path
            for folder in (self.paths.state_dir, self.paths.run_dir, self.paths.config_dir)
            for path in Path(folder).rglob("*")
            if path.is_file() and path.name != "mutex"
        ]
        return {"runtime": self.runtime, "timers": self.timers.running, **{str(p): p.read_bytes() for p in files}}

    def save(self, name: str = "saved") -> None:
        """Keep the present state of files and weights for :meth:`restore`."""
        self.saved_weights[name] = self.runtime
        shutil.rmtree(self.folder / name, ignore_errors=True)
        for folder in ("lib", "run", "conf.d"):
            shutil.copytree(self.folder / folder, self.folder / name / folder)
        shutil.copyfile(self.timers.log, self.folder / name / "timers.jsonl")

    def restore(self, name: str = "saved") -> None:
        for folder in ("lib", "run", "conf.d"):
            shutil.rmtree(self.folder / folder)
            shutil.copytree(self.folder / name / folder, self.folder / folder)
        shutil.copyfile(self.folder / name / "timers.jsonl", self.timers.log)
        self.set_runtime(self.saved_weights[name])

    def fire(self) -> None:
        """Every timer that still runs, in this process."""
        for command in self.timers.running.values():
            _lease_expired.fall_back(self.paths, command[command.index("--token") + 1], self.haproxy.socket)

    def helper_folder(self) -> Path:
        """The folder of the collection's tools, as the role copies them to a balancer."""
        folder = self.folder / "tools"
        if not folder.exists():
            source = ROOT / "plugins" / "module_utils"
            shutil.copytree(source, folder / "sluice_bluegreen", ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def fire_process(self, unit: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command of a timer as systemd does: with an empty environment, and here without any site-packages."""
        command = self.timers.running[unit or next(iter(self.timers.running))]
        return subprocess.run(
            [command[0], "-S", *command[1:]],
            env={"PYTHONPATH": str(self.helper_folder()), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
            **options,
        )


@contextlib.contextmanager
def full_disk(machine: Machine, room: int = 0) -> Iterator[None]:
    """No file may grow beyond the journal's size and ``room`` bytes; the other files are far smaller."""
    journal = machine.paths.journal
    while journal.stat().st_size < 8192:
        machine.note("filler", data={"text": "x" * 500})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # HAProxy 3.0 keeps what it says at its start in a file in memory, and a full disk is no reason to end it for that.
    unlimited = machine.folder / "unlimited"
    unlimited.write_text(f'#!/bin/sh\nulimit -S -f unlimited\nexec "{machine.program}" "$@"\n')
    unlimited.chmod(0o700)
    program, machine.program = machine.program, str(unlimited)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        machine.program = program
