"""``make bench-tick``: one tick of a gate for 200 servers, reading two real HAProxy processes and judging.

What Ansible adds to reach a balancer is not in it. Times depend on the machine; the shares are what to look at.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from plugins.module_utils._errors import BalancerError
from plugins.module_utils._gate._counters import Counters, add_up
from plugins.module_utils._gate._judge import Judge
from plugins.module_utils._gate._settings import Settings
from plugins.module_utils._haproxy._socket import RuntimeSocket
from plugins.module_utils._haproxy._stats import process_info, server_states, server_stats

CANDIDATES, STABLES, BALANCERS, PATIENCE = 40, 160, 2, 10.0
NAMES = [f"green{i}" for i in range(CANDIDATES)] + [f"blue{i}" for i in range(STABLES)]


def config(path: str) -> str:
    servers = "\n".join(f"    server {name} 127.0.0.1:9 weight 1" for name in NAMES)
    return f"""global
    stats socket {path} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend in
    bind {path}.in
    default_backend shop
backend shop
{servers}
"""


def start(program: str, folder: Path) -> tuple[subprocess.Popen[bytes], RuntimeSocket]:
    folder.mkdir()
    sock = RuntimeSocket(str(folder / "admin.sock"))
    (folder / "haproxy.cfg").write_text(config(sock.path), encoding="utf-8")
    process = subprocess.Popen([program, "-db", "-q", "-f", str(folder / "haproxy.cfg")], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            process_info(sock)
            return process, sock
        except BalancerError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise
            time.sleep(0.02)


def read(sock: RuntimeSocket) -> dict[str, Any]:
    """What a balancer answers at a tick."""
    info, states = process_info(sock), server_states(sock, "shop")
    servers = {
        name: {
            "requests": stats.requests,
            "bad": stats.bad,
            "unanswered": 0,
            "sessions": 0,
            "status": stats.status,
            "weight": states[name].weight,
        }
        for name, stats in server_stats(sock, "shop").items()
    }
    return {"pid": info.pid, "uptime": info.uptime, "servers": servers}


def grown(answer: dict[str, Any], ticks: int) -> dict[str, Any]:
    """The same with the requests of so many ticks, 25 a server of which some fail."""
    servers = {
        name: {**entry, "requests": 25 * ticks, "bad": ticks * (1 + i % 3) // 8}
        for i, (name, entry) in enumerate(answer["servers"].items())
    }
    return {**answer, "servers": servers}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-tick", description=__doc__)
    parser.add_argument("--ticks", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path("build/bench-tick.json"))
    options = parser.parse_args()
    program = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        parser.exit(1, "bench-tick: HAProxy is not here; on Debian, apt-get install haproxy\n")
    taken: dict[str, list[float]] = {"read": [], "count": [], "judge": []}

    def timed(what: str, run: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        found = run(*given)
        taken[what].append(1000.0 * (time.perf_counter() - began))
        return found

    judge, counters = Judge(Settings()), Counters()

    def increases(answers: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
        return add_up([counters.update(str(number), answer) for number, answer in enumerate(answers)])

    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            socks = []
            for number in range(BALANCERS):
                process, sock = start(program, Path(folder, f"lb{number + 1}"))
                processes.append(process)
                socks.append(sock)
            for tick in range(options.ticks + 1):
                answers = timed("read", lambda: [read(sock) for sock in socks])
                answers = [grown(answer, tick) for answer in answers]
                counts = timed("count", increases, answers)
                if not tick:
                    continue
                colors: dict[str, Any] = {"candidate": {}, "stable": {}}
                for name, count in counts.items():
                    colors["candidate" if name.startswith("green") else "stable"][name] = {"errors": list(count)}
                timed("judge", judge.tick, {"t": 5 * tick, "colors": colors})
        finally:
            for process in processes:
                process.kill()
                process.wait()
    # The best of many is what it costs where nothing else runs.
    found = {what: {"median_ms": median(values), "best_ms": min(values)} for what, values in taken.items()}
    whole = sum(times["best_ms"] for times in found.values())
    print(f"One tick for {len(NAMES)} servers on {BALANCERS} balancers, {options.ticks} times, one after the other")
    print(f"  {'':<32} {'median':>10} {'best':>10} {'share of the best':>20}")
    for what, text in (
        ("read", "reading both HAProxy processes"),
        ("count", "counters to increases"),
        ("judge", "the judge, errors only"),
    ):
        times = found[what]
        share = times["best_ms"] / whole
        print(f"  {text:<32} {times['median_ms']:7.2f} ms {times['best_ms']:7.2f} ms {share:19.0%}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    written = json.dumps({"servers": len(NAMES), "balancers": BALANCERS, **found}, indent=1)
    options.output.write_text(written + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
