# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of a stage: ticks on the controller, looks at every balancer, prints a line a tick, gives a verdict."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Optional, Union

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError, SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _secrets, _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._known import remembered
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._lines import Observation, Watch
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import GateLoop, replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._policy import ACTIONS
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import (
    JUDGE_SOURCES,
    ON_TIMEOUT,
    SOURCES,
    Series,
    Threshold,
    policies_of,
    series_of,
    settings_of,
    threshold_gate,
    thresholds_of,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sources import (
    Reading,
    bucket_totals,
    error_totals,
    reading,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._threshold_judge import ThresholdJudge
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._fanout import Pool, module_on
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._plain import plain

COLORS = ("blue", "green")
TICK_MODULE = "sluice.bluegreen.haproxy_tick"
SPLIT_MODULE = "sluice.bluegreen.haproxy_split"
# Seconds after which a call to a balancer or a source is given up for good.
CALL_LIMIT = 30.0
# Seconds that a balancer which hangs is waited for at least when the others are back.
BACK_PATIENCE = 3.0

# What a gate asks, with which secrets, and what it does without an answer.
ASKING_SPEC: dict[str, Any] = {
    "url": {"type": "str"},
    "headers": {"type": "dict", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "timeout": {"type": "float"},
    "no_data": {"type": "str", "choices": list(ACTIONS)},
    "source_down": {"type": "str", "choices": list(ACTIONS)},
}
SERIES_SPEC: dict[str, Any] = {
    "source": {"type": "str", "choices": list(JUDGE_SOURCES)},
    "color_label": {"type": "str"},
    "server_label": {"type": "str"},
    **ASKING_SPEC,
}
ERRORS_SPEC: dict[str, Any] = {
    "max_ratio": {"type": "float"},
    "promote_ratio": {"type": "float"},
    "margin": {"type": "raw"},
    "max_error_ratio": {"type": "raw"},
    "alpha": {"type": "float"},
    "beta": {"type": "float"},
    "cap": {"type": "float"},
    "min_errors": {"type": "int"},
    "min_excess": {"type": "raw"},
    "warmup": {"type": "float"},
    "requests": {"type": "str"},
    "bad": {"type": "str"},
    **SERIES_SPEC,
}
THRESHOLD_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "choices": list(SOURCES), "default": SOURCES[0]},
    "query": {"type": "str"},
    "path": {"type": "str"},
    "command": {"type": "list", "elements": "str"},
    "env": {"type": "dict", "no_log": True},
    "max": {"type": "float"},
    "min": {"type": "float"},
    "max_ratio": {"type": "float"},
    "failures": {"type": "int", "aliases": ["failure_limit"]},
    "total_failures": {"type": "int"},
    "interval": {"type": "float"},
    "count": {"type": "int"},
    "delay": {"type": "float"},
    **ASKING_SPEC,
}
LATENCY_SPEC: dict[str, Any] = {
    "quantiles": {"type": "list", "elements": "str"},
    "max_slowdown": {"type": "raw"},
    "promote_slowdown": {"type": "raw"},
    "buckets": {"type": "str"},
    **SERIES_SPEC,
}
ARGUMENT_SPEC: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "candidate": {"type": "str", "required": True, "choices": list(COLORS)},
    "source": {"type": "str", "choices": ["haproxy", "tape"], "default": "haproxy"},
    "tape": {"type": "path"},
    "release_id": {"type": "str"},
    "servers": {"type": "list", "elements": "dict"},
    "balancers": {"type": "list", "elements": "str"},
    "weights": {"type": "dict"},
    "gates": {
        "type": "dict",
        "default": {},
        "options": {
            "errors": {"type": "dict", "options": ERRORS_SPEC},
            "latency": {"type": "dict", "options": LATENCY_SPEC},
            "thresholds": {"type": "list", "elements": "dict", "options": THRESHOLD_SPEC},
            "baseline": {"type": "list", "elements": "str"},
        },
    },
    "baseline": {"type": "str", "choices": ["concurrent", "none"], "default": "concurrent"},
    "carry": {"type": "dict"},
    "stable_rate": {
        "type": "dict",
        "options": {"requests": {"type": "int", "required": True}, "errors": {"type": "int", "required": True}},
    },
    "first_release": {"type": "bool", "default": False},
    "stage": {"type": "int", "default": 1},
    "look": {"type": "int", "default": 1},
    "second_look": {"type": "bool", "default": False},
    "split": {"type": "float"},
    "tick": {"type": "float", "default": 5},
    "dwell": {"type": "float", "default": 60},
    "timeout": {"type": "float", "default": 900},
    "on_timeout": {"type": "str", "choices": list(ON_TIMEOUT), "default": "pause"},
    "lease": {"type": "float"},
    "back": {"type": "dict"},
    "socket": {"type": "raw"},
    "config": {"type": "raw"},
    "config_dir": {"type": "raw"},
    "state_dir": {"type": "path"},
    "run_dir": {"type": "path"},
}
# Options that the module on the balancers gets as they are.
PASSED_ON = ("state_dir", "run_dir", "lease")


class ActionModule(ActionBase):
    """Thin: builds the judge, the loop and what they look through, and returns what they say."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, validated = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        args = plain(validated)
        try:
            args["gates"] = self._with_secrets(args, task_vars or {})
            secrets = _secrets.secrets_in(args["gates"])
            gate = _secrets.without(self._gate(args, task_vars or {}), secrets)
        except SluiceError as error:
            msg = _secrets.scrub(str(error), _secrets.secrets_in(args["gates"]))
            return {**result, "changed": False, "failed": True, "msg": msg, **error.details}
        gate["known"] = remembered(gate.get("carry") or {})
        gate.update(service=args["service"], candidate=args["candidate"], stage=args["stage"], split=args["split"])
        failed = gate["outcome"] not in ("promote", None)
        return {**result, "changed": False, "failed": failed, "msg": gate["message"], **gate}

    def _with_secrets(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The gates with the secrets that a page that was read does not show; a tape needs none."""
        gates: dict[str, Any] = args["gates"]
        if args["source"] == "tape" or not _secrets.is_sealed(gates):
            return gates
        page = written(self._templar, task_vars, args["service"], "gates")
        return _secrets.unseal(gates, page["gates"], args["service"])

    def _gate(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        names = Names(args["candidate"], COLORS[1 - COLORS.index(args["candidate"])])
        servers = servers_by_role(args["servers"] or [], args["candidate"])
        thresholds = thresholds_of(args["gates"].get("thresholds") or [])
        judge = _judge(args, names, servers, thresholds)
        label = _label(args)
        if args["source"] == "tape":
            if not args["tape"]:
                raise InputError(
                    "metrics_gate: source tape needs tape, the path of the recorded tape on the controller"
                )
            path = self._loader.path_dwim(args["tape"])
            return replay(_tape.read(path), judge, label=label, say=self._display.display)
        _check_live(args, servers)
        balancers = _balancers(args, task_vars)
        watch = Watch(
            label=label,
            balancers=balancers,
            servers=servers,
            weights=_weights(args["weights"]),
            lease=args["lease"],
            ages={entry["name"]: float(entry["age"]) for entry in args["servers"] if entry.get("age") is not None},
            concurrent=args["baseline"] == "concurrent",
            baseline=_baseline(args, servers),
            reference=(args["carry"] or {}).get("reference") or {},
        )
        with Pool(max([CALL_LIMIT, *(2.0 * threshold.timeout + 5.0 for threshold in thresholds)])) as pool:
            for balancer in balancers:
                pool.add(balancer, module_on(self, balancer, task_vars))
            colors = {"candidate": names.candidate, "stable": names.stable}
            look = _Look(pool, args, balancers, thresholds, colors, servers, self._display.warning)
            loop = GateLoop(
                watch,
                judge,
                look.observe,
                record=look.record,
                back=look.back if args["back"] else None,
                second_look=args["second_look"],
                clock=time.monotonic,
                sleep=time.sleep,
                say=self._display.display,
            )
            return loop.look() if self._task.check_mode else loop.run()


class _Look:
    """What the loop looks through: the balancers' module and the thresholds' sources, all asked at once."""

    def __init__(
        self,
        pool: Pool,
        args: Mapping[str, Any],
        balancers: Sequence[str],
        thresholds: Sequence[Threshold],
        colors: Mapping[str, str],
        servers: Mapping[str, Sequence[str]],
        warn: Callable[[str], None],
    ) -> None:
        self._pool = pool
        self._warn = warn
        self._args = args
        self._balancers = balancers
        self._thresholds = [threshold.name for threshold in thresholds]
        self._series = series_of(args["gates"])
        # Their names have a space, so that they are not those of hosts.
        for threshold in thresholds:
            pool.add(threshold_gate(threshold.name), partial(_read, threshold, colors, environment(args, colors)))
        for gate, series in self._series.items():
            pool.add(f"totals {gate}", partial(_totals, gate, series, colors, servers))
        self._playbook = os.getppid()
        self._told_ages: set[str] = set()

    def observe(self, line: Optional[_tape.Line], seconds: float, due: Sequence[str]) -> Observation:
        if os.getppid() != self._playbook:
            # Ansible's worker outlives a killed ansible-playbook, and would renew the lease for a release that is dead.
            raise SluiceError("metrics_gate: ansible-playbook is gone, so the gate ends without a verdict")
        questions: dict[str, Any] = self._ticks(line)
        questions.update({threshold_gate(name): None for name in due})
        questions.update({f"totals {gate}": None for gate in self._series})
        answers = self._pool.ask(questions, seconds)
        self._told_ages |= {name for name in self._balancers if "deployed" in (answers[name] or {})}
        return Observation(
            balancers={name: answers[name] for name in self._balancers},
            thresholds={name: _reading(answers[threshold_gate(name)]) for name in due},
            totals={gate: answers[f"totals {gate}"] for gate in self._series},
        )

    def record(self, line: _tape.Line, seconds: float) -> None:
        self._pool.ask(self._ticks(line), seconds)

    def back(self) -> None:
        """Take the traffic away at once; whoever called the gate does it again, and sees to what failed here."""
        questions = {name: (SPLIT_MODULE, back_arguments(self._args, name)) for name in self._balancers}
        answers = self._pool.ask(questions, CALL_LIMIT, patience=BACK_PATIENCE)
        for name, answer in sorted(answers.items()):
            if answer is None or answer.get("failed") or answer.get("unreachable"):
                why = (answer or {}).get("msg") or "no answer in time"
                self._warn(f"{name}: the gate itself could not take the traffic back, the play tries again: {why}")

    def _ticks(self, line: Optional[_tape.Line]) -> dict[str, Any]:
        return {
            name: (TICK_MODULE, tick_arguments(self._args, name, line, deployed=name not in self._told_ages))
            for name in self._balancers
        }


def _read(threshold: Threshold, colors: Mapping[str, str], env: Mapping[str, str], _question: object) -> dict[str, Any]:
    return {"value": reading(threshold, colors=colors, env=env)}


def _totals(
    gate: str,
    series: Series,
    colors: Mapping[str, str],
    servers: Mapping[str, Sequence[str]],
    _question: object,
) -> dict[str, Any]:
    return (error_totals if gate == "errors" else bucket_totals)(series, colors, servers)


def _reading(answer: Mapping[str, Any]) -> Reading:
    if "value" in answer:
        value: Reading = answer["value"]
        return value
    return {"source_down": str(answer.get("msg"))}


def environment(args: Mapping[str, Any], colors: Mapping[str, str]) -> dict[str, str]:
    """What a command is told of the release that it judges."""
    told = {name: args[name] for name in ("service", "release_id", "stage", "split")}
    return {f"SLUICE_{name.upper()}": str(value) for name, value in {**told, **colors}.items() if value is not None}


def balancer_arguments(args: Mapping[str, Any], balancer: str) -> dict[str, Any]:
    """What every module on one balancer is told."""
    arguments: dict[str, Any] = {"service": args["service"]}
    arguments.update({name: args[name] for name in PASSED_ON if args[name] is not None})
    arguments.update(_own(args, balancer, "socket", "config_dir"))
    if args["release_id"]:
        arguments["release_id"] = args["release_id"]
    return arguments


def _own(args: Mapping[str, Any], balancer: str, *names: str) -> dict[str, Any]:
    """Those options that may be given by balancer, as far as this one has them."""
    given = {name: args[name].get(balancer) if isinstance(args[name], dict) else args[name] for name in names}
    return {name: value for name, value in given.items() if value}


def tick_arguments(
    args: Mapping[str, Any], balancer: str, line: Optional[_tape.Line], *, deployed: bool
) -> dict[str, Any]:
    """Arguments of ``haproxy_tick`` for one balancer; ``deployed``: whether it is to say how old the candidate is."""
    arguments = balancer_arguments(args, balancer)
    latency = args["gates"].get("latency")
    if latency is not None and latency.get("source") in (None, "haproxy"):
        arguments["latency"] = True
    if args["release_id"]:
        arguments["deployed"] = deployed
        arguments["tape"] = {"name": _tape_name(args), "line": line}
    return arguments


def _tape_name(args: Mapping[str, Any]) -> str:
    # The time of a tape never goes back, so a stage that is looked at again has one more.
    again = f"-{args['look']}" if args["look"] > 1 else ""
    return f"{args['release_id']}-{args['stage']}{again}"


def back_arguments(args: Mapping[str, Any], balancer: str) -> dict[str, Any]:
    """Arguments of ``haproxy_split`` for the way back of one balancer; what fails must not keep the traffic there."""
    known = ("name", "color", "capacity")
    servers = [{key: server[key] for key in known if key in server} for server in args["servers"]]
    step = {"servers": servers, "shares": args["back"], "reason": "the gate's verdict", "journal": "best_effort"}
    return {**balancer_arguments(args, balancer), **_own(args, balancer, "config"), **step, "commit": True}


def servers_by_role(servers: Sequence[Mapping[str, Any]], candidate: str) -> dict[str, list[str]]:
    """Names by role (``candidate``, ``stable``) from server entries with ``name`` and ``color``."""
    roles: dict[str, list[str]] = {"candidate": [], "stable": []}
    for entry in servers:
        if entry.get("color") not in COLORS or not entry.get("name"):
            raise InputError(f"metrics_gate: server entry {dict(entry)!r} needs a name and a color (blue or green)")
        roles["candidate" if entry["color"] == candidate else "stable"].append(str(entry["name"]))
    return roles


def _judge(
    args: Mapping[str, Any], names: Names, servers: Mapping[str, Sequence[str]], thresholds: Sequence[Threshold]
) -> Union[Judge, ThresholdJudge]:
    settings = settings_of(
        args["gates"],
        tick=args["tick"],
        dwell=args["dwell"],
        timeout=args["timeout"],
        on_timeout=args["on_timeout"],
    )
    policies = policies_of(args["gates"], thresholds)
    if args["baseline"] == "concurrent":
        return Judge(
            settings, names=names, thresholds=thresholds, servers=servers, carry=args["carry"], policies=policies
        )
    return ThresholdJudge(
        settings,
        names=names,
        thresholds=thresholds,
        servers=servers,
        carry=args["carry"],
        stable_rate=args["stable_rate"],
        policies=policies,
        has_stable=args["source"] != "tape" and not args["first_release"] and bool(servers["stable"]),
    )


def _label(args: Mapping[str, Any]) -> str:
    share = f" ({args['split']:g} %)" if args["split"] is not None else ""
    again = f", look {args['look']}," if args["look"] > 1 else ""
    return f"{args['service']} stage {args['stage']}{share}{again}"


def _check_live(args: Mapping[str, Any], servers: Mapping[str, Sequence[str]]) -> None:
    where = f"metrics_gate of service {args['service']}"
    if not servers["candidate"]:
        raise InputError(f"{where}: servers has none of color {args['candidate']}, so there is nothing to judge")
    if args["baseline"] == "concurrent" and not servers["stable"]:
        raise InputError(
            f"{where}: servers has only {args['candidate']}; use baseline: none where nothing is stable yet"
        )
    if args["tick"] < 1:
        raise InputError(f"{where}: tick {args['tick']:g}: at least 1 second is needed")
    if args["lease"] is not None and args["lease"] < 2 * args["tick"]:
        raise InputError(
            f"{where}: a lease of {args['lease']:g} s does not outlast two ticks of {args['tick']:g} s; make it longer"
        )


def _baseline(args: Mapping[str, Any], servers: Mapping[str, Sequence[str]]) -> list[str]:
    """The stable servers to compare with, of those that ``gates.baseline`` names in either color."""
    chosen = args["gates"].get("baseline") or []
    every = {name for names in servers.values() for name in names}
    unknown = sorted(set(chosen) - every)
    if unknown:
        raise InputError(
            f"metrics_gate of service {args['service']}: gates.baseline names {unknown[0]}, no server of it"
        )
    found = [name for name in servers["stable"] if name in chosen]
    if chosen and servers["stable"] and not found and args["baseline"] == "concurrent":
        raise InputError(
            f"metrics_gate of service {args['service']}: gates.baseline names no server of the color that is stable "
            "now; name some of both colors, since the next release has them the other way round"
        )
    return found


def _weights(weights: Optional[Mapping[str, Any]]) -> Optional[dict[str, int]]:
    try:
        return None if weights is None else {name: int(weight) for name, weight in weights.items()}
    except (TypeError, ValueError) as error:
        raise InputError(f"metrics_gate: weights must be whole numbers by server: {error}") from error


def _balancers(args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> list[str]:
    # Also those that already failed: a balancer that is lost must not be forgotten.
    balancers: list[str] = args["balancers"] or plain(task_vars.get("ansible_play_hosts_all") or [])
    unknown = [name for name in balancers if name not in task_vars["hostvars"]]
    if unknown or not balancers:
        raise InputError(
            f"metrics_gate of service {args['service']}: "
            + (f"balancer {unknown[0]} is not in the inventory" if unknown else "there is no balancer to look at")
        )
    return balancers
