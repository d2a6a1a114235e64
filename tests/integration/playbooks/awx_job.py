"""A job as AWX runs it: through ansible-runner, on a private data directory with the files that AWX writes there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_runner.interface import init_runner
from real_ansible import ROOT

PROJECT = ROOT / "examples" / "project"
HERE = Path(sys.executable).parent
# The folders of the commands of the oldest ansible-core and of that of this environment.
CORES = {"2.17": ROOT / ".venv-2.17" / "bin", "2.19": HERE}
LONG = pytest.mark.long


def mostly(core: str) -> list[Any]:
    """Both, of which the other one is for `make test-long`: `make test` has each kind of job with both all the same."""
    return [pytest.param(one, marks=() if one == core else LONG) for one in CORES]


# What every job gets besides.
META = {"awx_job_id": 42, "awx_user_name": "alice"}
Event = Mapping[str, Any]


class _Unsafe(yaml.SafeDumper):
    """Marks every text, as AWX marks what a person gave it."""

    def represent_data(self, data: Any) -> yaml.Node:
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


def survey(answers: Mapping[str, Any], template: Mapping[str, Any] | None = None) -> str:
    """The file of extra variables; ``template`` are those that the job template itself has, which are not marked."""
    marked = ((name, answer, _Unsafe) for name, answer in answers.items())
    trusted = ((name, value, yaml.SafeDumper) for name, value in (template or {}).items())
    return "".join(
        yaml.dump({name: value}, Dumper=dumper, default_flow_style=False) for name, value, dumper in (*marked, *trusted)
    )


class _Vars(yaml.SafeLoader):
    """Reads what a role's variables say, marked or not."""


_Vars.add_constructor("!unsafe", yaml.SafeLoader.construct_yaml_str)


def answers(playbook: str, **given: str) -> dict[str, str]:
    """What a person answers whom the playbook's template asks: ``given``, and the questions' own defaults.

    All of them are texts, and what was not answered is an empty one.
    """
    role = yaml.load((ROOT / "roles/awx/vars/main.yml").read_text(encoding="utf-8"), _Vars)
    (template,) = [one for one in role["__awx_templates"] if one["playbook"] == playbook]
    asked = [role["__awx_questions"][name] for name in template["survey"]]
    usual = {one["variable"]: "shop" if one["required"] and "{{" in one["default"] else one["default"] for one in asked}
    assert set(given) <= set(usual), f"{playbook} asks {', '.join(usual)}"
    return {**usual, **given}


@dataclass(frozen=True)
class Job:
    """A finished job; ``status`` is successful, failed, canceled or timeout."""

    status: str
    code: int
    events: Sequence[Event]
    output: str

    @property
    def artifacts(self) -> dict[str, Any]:
        """What the next node of a workflow would get."""
        told = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return dict(told[-1].get("artifact_data") or {}) if told else {}

    @property
    def outcome(self) -> str:
        """What it came to, or nothing where it was refused before it began."""
        return str(self.artifacts.get("bluegreen_result", {}).get("outcome", ""))

    @property
    def problems(self) -> str:
        bad = ("runner_on_failed", "runner_on_unreachable")
        return "; ".join(
            str(event["event_data"]["res"].get("msg"))
            for event in self.events
            if event["event"] in bad and not event["event_data"].get("ignore_errors")
        )

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """What each task gave on each host: ``task``, ``host``, ``res``."""
        return [event["event_data"] for event in self.events if "res" in event.get("event_data", {})]

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something."""
        return [data["task"] for data in self.done if data["res"].get("changed")]


def script(inventory: Mapping[str, Any], hosts: Sequence[str] | None = None) -> str:
    """The inventory as AWX hands it over, a script that prints JSON; ``hosts`` are those of a slice."""
    site = inventory["all"]
    kept = {
        group: {name: one for name, one in entries["hosts"].items() if hosts is None or name in hosts}
        for group, entries in site["children"].items()
    }
    data = {
        "all": {"vars": site["vars"], "children": list(kept)},
        "_meta": {"hostvars": {name: one for entries in kept.values() for name, one in entries.items()}},
        **{group: {"hosts": list(entries)} for group, entries in kept.items()},
    }
    return f"#!{sys.executable}\nprint({json.dumps(data)!r})\n"


def run_job(
    folder: Path,
    core: str,
    playbook: str,
    inventory: Mapping[str, Any],
    answers: Mapping[str, Any],
    *options: str,
    plays: Sequence[Any] | None = None,
    template: Mapping[str, Any] | None = None,
    slice_hosts: Sequence[str] | None = None,
    expires: Callable[[Sequence[Event]], bool] = lambda _events: False,
    cancel: Callable[[Sequence[Event]], bool] = lambda _events: False,
) -> Job:
    """Run a playbook of the project, or ``plays`` in its place, with ansible-core ``core``.

    ``template`` are the extra variables of the job template, beside the ``answers`` that a launch brings.
    ``slice_hosts`` are the only hosts that a slice's inventory has. ``expires``, whether its time is over by now, is
    asked at each event, and ``cancel`` all the time; both end it as AWX does.
    """
    data = folder / f"{core}-{len(list(folder.glob('*-*')))}"
    for name in ("inventory", "env"):
        (data / name).mkdir(parents=True)
    shutil.copytree(PROJECT, data / "project")
    if plays is not None:
        (data / "project" / "playbooks" / f"{playbook}.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    hosts = data / "inventory" / "hosts"
    hosts.write_text(script(inventory, slice_hosts), encoding="utf-8")
    hosts.chmod(0o700)
    (data / "env" / "extravars").write_text(survey({**META, **answers}, template), encoding="utf-8")
    events: list[Event] = []

    def note(event: Event) -> bool:
        events.append(event)
        if expires(events):
            done.config.job_timeout = 1
        return True

    done = init_runner(
        private_data_dir=str(data),
        playbook=f"playbooks/{playbook}.yml",
        cmdline=" ".join(options) or None,
        envvars={
            "PATH": f"{CORES[core]}:/usr/sbin:/usr/bin:/sbin:/bin",
            "ANSIBLE_CONFIG": str(data / "project" / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/build/collections:{HERE.parent}/lib/python3.11/site-packages",
            "ANSIBLE_LOCAL_TEMP": str(data / "local"),
            "ANSIBLE_TIMEOUT": "2",
            # As the project's ansible.cfg has it for SSH, for the local connection of these hosts.
            "ANSIBLE_PIPELINING": "true",
        },
        settings={"job_timeout": 600, "idle_timeout": 0},
        event_handler=note,
        cancel_callback=lambda: cancel(events),
        quiet=True,
    )
    done.run()
    return Job(done.status, done.rc, events, Path(done.stdout.name).read_text(encoding="utf-8"))


def cancelled_once(reached: Callable[[Sequence[Event]], bool]) -> Callable[[Sequence[Event]], bool]:
    """For ``cancel``: as AWX does it, once the job has ``reached`` what is told of it."""

    def cancel(events: Sequence[Event]) -> bool:
        if not reached(events):
            return False
        # The container's end is a SIGTERM; what is left then is killed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(next(event["pid"] for event in events if "pid" in event), signal.SIGTERM)
        return True

    return cancel
