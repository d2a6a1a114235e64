"""Containers of hooks on this machine's own Docker Engine: what they have, and that nothing of them is left."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import Balancer
from haproxy_process import until
from real_ansible import Run, finished, run, started
from site_files import inventory

# In the place of the log of a VM's system.
LOG = """import syslog
syslog.syslog = lambda *words: open("{log}", "a").write(str(words[-1]) + chr(10))
"""
pytestmark = pytest.mark.long

PROGRAMS = ("sh", "cat", "id", "sleep", "env", "touch")
# Says that it was passed on the way to the command.
ENTRY = '#!/bin/sh\nENTERED=yes exec "$@"\n'
PASSWD = "root:x:0:0::/:/bin/sh\napp:x:1234:2345::/:/bin/sh\n"
SECRETS = {"key": "hush-key\n", "pem": "-----BEGIN-----\nhush-line\n-----END-----\n"}
FOLDER = Path("/var/lib/sluice/secrets")
REPORT = """
exec > /out/report
echo "entered=$ENTERED level=$LOG_LEVEL service=$SLUICE_SERVICE own=$OWN"
echo "user=$(id -u):$(id -g) groups=$(id -G) at=$PWD"
cat /run/secrets/key
cat /etc/hosts
cat /proc/self/status
cat /proc/self/limits
cat /proc/mounts
"""
PLAYS = [
    {"hosts": "shop_green", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]},
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"sluice.bluegreen.service_info": {"service": "shop"}, "register": "page"},
            {"ansible.builtin.set_fact": {"kept": "{{ page.service }}"}},
        ],
    },
    {
        "hosts": "loadbalancers",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Run the hooks",
                "ansible.builtin.include_role": {"name": "sluice.bluegreen.hooks"},
                "vars": {
                    "hooks_service": "{{ hostvars['localhost'].kept }}",
                    "hooks_phase": "before_deploy",
                    "hooks_release_id": "r2",
                    "hooks_version": "v2",
                    "hooks_candidate": "green",
                    "hooks_stable": "blue",
                    "hooks_image": "{{ image }}",
                },
            }
        ],
    },
]


def docker(*words: str, given: bytes = b"") -> str:
    return subprocess.run(["docker", *words], input=given, capture_output=True, check=True).stdout.decode().strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """A shell and a few programs of this machine, with an entrypoint of its own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def add(path: str, content: bytes, mode: int) -> None:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))

        libraries = set()
        for name in PROGRAMS:
            program = str(shutil.which(name))
            add(f"/bin/{name}", Path(program).read_bytes(), 0o755)
            listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            libraries.update(re.findall(r"(/\S+) \(0x", listed))
        for library in sorted(libraries):
            add(library, Path(library).read_bytes(), 0o755)
        add("/bin/entry", ENTRY.encode(), 0o755)
        add("/etc/passwd", PASSWD.encode(), 0o644)
    name = f"hooked-{uuid.uuid4().hex[:8]}:v2"
    docker("import", "--change", 'ENTRYPOINT ["/bin/entry"]', "-", name, given=packed.getvalue())
    yield name
    docker("image", "rm", name)


@pytest.fixture
def network() -> Iterator[str]:
    name = f"hooked-{uuid.uuid4().hex[:8]}"
    docker("network", "create", "--internal", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture
def hook() -> Iterator[str]:
    """A name that no other hook on this machine has, and the end of whatever it left."""
    name = f"migrate-{uuid.uuid4().hex[:8]}"
    yield name
    found = docker("ps", "--all", "--quiet", "--filter", f"name={name}").split()
    if found:
        docker("rm", "--force", *found)
    shutil.rmtree(FOLDER / container_of(name), ignore_errors=True)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What modules tell the system's log of ``green1``."""
    (tmp_path / "log.d").mkdir()
    (tmp_path / "log.d" / "sitecustomize.py").write_text(LOG.format(log=tmp_path / "log"))
    (tmp_path / "python").write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/log.d exec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    return tmp_path / "log"


Site = Callable[..., dict[str, Any]]


@pytest.fixture
def site(machines: dict[str, Balancer], hook: str, out: Path, log: Path) -> Site:
    """A service with a hook of this command, and what else its page has under ``container``."""
    for machine in machines.values():
        machine.promoted("r1", "v1", "blue")
        machine.deployed("r2", "v2", "green")
        _lock.acquire(machine.paths, "r2", "alice@ci", 600)

    green1 = {"ansible_connection": "local", "ansible_python_interpreter": str(log.with_name("python"))}

    def site(script: str, timeout: str = "60s", env: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
        own = {"command": ["sh", "-c", script], "env": env or {}}
        return inventory(
            groups__loadbalancers={name: machine.entry for name, machine in machines.items()},
            groups__shop_green={"green1": {**green1, "bluegreen_address": "127.0.0.31"}},
            page__container={"port": 8080, "secrets": SECRETS, "volumes": [f"{out}:/out"], **container},
            page__hooks={"before_deploy": [{"name": hook, "container": own, "timeout": timeout}]},
        )

    return site


def container_of(hook: str) -> str:
    return f"shop-green-hook-before_deploy-0-{hook}"


def nothing_is_left(hook: str) -> bool:
    there = docker("ps", "--all", "--quiet", "--filter", f"name={hook}")
    return not there and not (FOLDER / container_of(hook)).exists()


def no_secret_shows(done: Run, machines: dict[str, Balancer], log: Path) -> bool:
    logged = log.read_text()
    assert "Invoked with data=pong" in logged, "this is where it would show"
    told = done.output + logged + "".join(machine.paths.journal.read_text() for machine in machines.values())
    return "hush" not in told


def test_a_hooks_container_has_what_the_services_own_has_and_the_images_entrypoint(
    machines: dict[str, Balancer], site: Site, image: str, network: str, hook: str, out: Path, log: Path, tmp_path: Path
) -> None:
    page = site(
        REPORT,
        env={"OWN": "hush-own"},
        # None of the command's business.
        entrypoint=["/serve"],
        command=["--all"],
        restart_policy="unless-stopped",
        networks=[{"name": network, "aliases": ["shop"]}],
        user="app",
        groups=["4321"],
        working_dir="/scratch",
        tmpfs=["/scratch:size=1m"],
        read_only=True,
        etc_hosts={"ledger": "198.18.0.99"},
        cap_drop=["ALL"],
        security_opts=["no-new-privileges"],
        ulimits=["nofile:77:77"],
        memory="32m",
        pids_limit=20,
        log_driver="local",
    )
    page["all"]["vars"]["bluegreen_services"]["shop"]["container"]["env"] = {"LOG_LEVEL": "info"}
    done = run(tmp_path, PLAYS, page, {"image": image}, "-vvv")
    assert done.status == 0, done.output
    told = (out / "report").read_text()
    assert "entered=yes level=info service=shop own=hush-own" in told
    assert "user=1234:2345 groups=2345 4321 at=/scratch" in told
    assert "hush-key" in told, "the user of the container reads its secret"
    assert re.search(r"198\.18\.0\.99\s+ledger", told)
    assert re.search(r"CapBnd:\s+0+\n", told) and re.search(r"NoNewPrivs:\s+1\n", told)
    assert re.search(r"Max open files\s+77\s+77", told)
    assert re.search(r"\S+ / \S+ ro,", told) and "tmpfs /scratch tmpfs" in told
    assert nothing_is_left(hook)
    assert no_secret_shows(done, machines, log)


def test_a_hook_that_fails_tells_the_end_of_its_output_without_a_secret_and_leaves_nothing(
    machines: dict[str, Balancer], site: Site, image: str, hook: str, log: Path, tmp_path: Path
) -> None:
    script = 'cat /run/secrets/key /run/secrets/pem >&2; echo "with $OWN: no table"; exit 3'
    done = run(tmp_path, PLAYS, site(script, env={"OWN": "hush-own"}), {"image": image}, "-vvv")
    assert done.status != 0
    (problem,) = {one.msg for one in done.of("Say why")}
    assert problem.startswith(f"hook before_deploy {hook} failed: green1: ended with exit status 3: "), problem
    assert "no table" in problem
    assert nothing_is_left(hook)
    assert no_secret_shows(done, machines, log)


@pytest.mark.parametrize(
    ("script", "more", "why"),
    [
        (
            "echo still at it; sleep 600",
            {"timeout": "20s"},
            "was not over after 20 s, its timeout, and was ended: still at it",
        ),
        ("true", {"working_dir": "/run/secrets/key"}, "cwd|working directory|not a directory"),
        ("true", {"user": "nobody-knows"}, "the user nobody-knows of shop-green-hook-"),
        ("true", {"memory": "1m"}, "[Mm]inimum memory limit"),
        ("true", {"networks": [{"name": "no-such-network"}]}, "no-such-network"),
    ],
    ids=["too long", "not started", "no user", "not made", "no network"],
)
def test_one_that_is_too_long_or_cannot_be_begun_leaves_nothing(
    site: Site, image: str, hook: str, tmp_path: Path, script: str, more: dict[str, Any], why: str
) -> None:
    done = run(tmp_path, PLAYS, site(script, **more), {"image": image})
    assert done.status != 0
    (problem,) = {one.msg for one in done.of("Say why")}
    assert re.search(why, problem), problem
    assert nothing_is_left(hook)


def test_the_vm_removes_the_container_and_the_secrets_of_a_playbook_that_was_killed(
    site: Site, image: str, hook: str, out: Path, tmp_path: Path
) -> None:
    page = site("touch /out/begun; until test -e /out/gate; do sleep 0.2; done; touch /out/ended")
    process = started(tmp_path, PLAYS, page, {"image": image})
    until("the hook runs", (out / "begun").exists, 90)
    assert (FOLDER / container_of(hook) / "key").read_text() == SECRETS["key"]
    os.killpg(process.pid, signal.SIGKILL)
    assert not nothing_is_left(hook)
    (out / "gate").touch()
    until("nothing of it is left", lambda: nothing_is_left(hook), 60)
    assert (out / "ended").exists(), "it went on to its end"
    finished(process)


def test_what_a_vm_left_that_went_down_is_replaced_by_the_next_run_of_the_same_hook(
    site: Site, image: str, hook: str, tmp_path: Path
) -> None:
    docker("run", "--detach", "--name", container_of(hook), image, "sleep", "600")
    (FOLDER / container_of(hook)).mkdir(parents=True)
    (FOLDER / container_of(hook) / "old").write_text("hush-old")
    done = run(tmp_path, PLAYS, site("test ! -e /run/secrets/old && test -e /run/secrets/key"), {"image": image})
    assert done.status == 0, done.output
    assert nothing_is_left(hook)


def test_what_a_vm_left_that_went_down_goes_with_whatever_next_stops_the_color_there(
    image: str, hook: str, tmp_path: Path
) -> None:
    # Of a service and a color that nobody else on this machine has.
    labels = {"service": hook, "color": "green", "version": "v2", "hook": "before_deploy/0/migrate"}
    words = [word for key, value in labels.items() for word in ("--label", f"sluice.bluegreen.{key}={value}")]
    docker("run", "--detach", "--stop-timeout", "1", *words, "--name", container_of(hook), image, "sleep", "600")
    (FOLDER / container_of(hook)).mkdir(parents=True)
    (FOLDER / container_of(hook) / "old").write_text("hush-old")
    retire = {"service": hook, "color": "green", "container": "", "missing_ok": True, "tidy": False}
    retire.update(release_id="r2", run_dir=str(tmp_path / "run"))
    stop = {"sluice.bluegreen.container_switch": {**retire, "health": {"tcp": True}, "port": 1, "name": "green1"}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [{**stop, "name": "Retire"}]}]
    checked = run(tmp_path, plays, inventory(), {}, "--check")
    assert not nothing_is_left(hook)
    done = run(tmp_path, plays, inventory(), {})
    for one in (checked, done):
        assert json.dumps(one.of("Retire")[0].result["removed"]) == json.dumps([container_of(hook)]), one.output
    assert nothing_is_left(hook)
