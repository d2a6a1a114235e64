# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module on several hosts at once from inside one action plugin, tick after tick, with a time limit.

Every host gets a helper process of its own, as Ansible's own workers do it: plugins, templating and connections of
ansible-core are not made for threads, and a thread that hangs in an ssh session cannot be ended, a process can. A
helper lives as long as the pool, so its connection and the Python found on the host are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Optional

import ansible.errors
from ansible import constants as C  # noqa: N812 - the name that every plugin of Ansible uses
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar
from ansible.utils.display import Display
from ansible.utils.multiprocessing import context

Answer = dict[str, Any]
Work = Callable[[Any], Any]
Message = tuple[str, tuple[Any, ...], dict[str, Any]]


# What ansible-core from 2.19 raises for `{{ omit }}`; before, nothing is raised.
_OMITTED: tuple[type[Exception], ...] = tuple(filter(None, [getattr(ansible.errors, "AnsibleValueOmittedError", None)]))


class _Relay:
    """Stands in for the queue of a worker: what a helper displays is handed over with its answer.

    Writing to the real queue would mean that a helper killed at the wrong moment leaves the queue locked for everybody.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send_display(self, method: str, *args: Any, **kwargs: Any) -> None:
        self.messages.append((method, args, kwargs))


class _Helper:
    """One forked process that answers one question at a time."""

    def __init__(self, name: str, work: Work, limit: float) -> None:
        self.name = name
        self.asked_at: Optional[float] = None
        self._work = work
        self._limit = limit
        self._process: Any = None
        self.connection: Optional[Connection] = None

    @property
    def busy(self) -> bool:
        return self.asked_at is not None

    def ask(self, question: Any, now: float, siblings: Iterable[_Helper]) -> None:
        if self._process is None:
            self._start(siblings)
        assert self.connection is not None
        self.asked_at = now
        self.connection.send(question)

    def take(self) -> Answer:
        """The answer that is there; a failed one when the process has ended instead."""
        assert self.connection is not None
        self.asked_at = None
        try:
            answer, messages = self.connection.recv()
        except (EOFError, OSError):
            self.stop()
            return {"failed": True, "msg": f"{self.name}: no answer in {self._limit:g} s, so the attempt was ended"}
        for method, args, kwargs in messages:
            getattr(Display(), method)(*args, **kwargs)
        return json.loads(answer) if answer is not None else {}

    def stop(self) -> None:
        self.asked_at = None
        if self._process is not None:
            try:
                # Its ssh goes with it, the shared master connection (in a session of its own) stays.
                os.killpg(self._process.pid, signal.SIGKILL)
            except OSError:
                self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _start(self, siblings: Iterable[_Helper]) -> None:
        self.connection, theirs = context.Pipe()
        others = [sibling.connection for sibling in siblings if sibling.connection is not None]
        self._process = context.Process(target=self._serve, args=(theirs, others), daemon=True)
        self._process.start()
        theirs.close()

    def _serve(self, mine: Connection, others: Iterable[Connection]) -> None:
        os.setsid()
        # The worker's handlers would end the worker's process group instead of this one.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda _signum, _frame: os.killpg(0, signal.SIGKILL))
        # Otherwise this process would not notice when the worker is gone.
        for inherited in (self.connection, *others):
            if inherited is not None:
                inherited.close()
        relay = _Relay()
        Display().set_queue(relay)
        while True:
            try:
                question = mine.recv()
            except (EOFError, OSError):
                return
            # Holds even when nobody is left to look at the clock.
            signal.setitimer(signal.ITIMER_REAL, self._limit)
            try:
                answer = self._work(question)
            except Exception as error:  # noqa: BLE001 - whatever went wrong is this host's answer
                answer = {"failed": True, "msg": f"{type(error).__name__}: {error}"}
            signal.setitimer(signal.ITIMER_REAL, 0)
            mine.send((json.dumps(answer, default=str), relay.messages))
            relay.messages = []


class Pool:
    """Helpers by name, asked all at once.

    ``limit`` is how many seconds one question may take before its helper is killed; it is started again by the next
    question. Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._helpers: dict[str, _Helper] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def add(self, name: str, work: Work) -> None:
        """A helper that answers questions with ``work``, in its own process; answers must be JSON-ready."""
        self._helpers[name] = _Helper(name, work, self._limit)

    def ask(self, questions: Mapping[str, Any], seconds: float, patience: Optional[float] = None) -> dict[str, Answer]:
        """Answers by name, after at most ``seconds``; never raises for a host.

        With ``patience`` nobody is waited for much longer than the first that answered took: three times as long, and
        ``patience`` seconds at least.

        A helper that does not answer in time is left to go on, and gets no further question before it has answered or
        its limit is over; the answer that then comes too late counts for the later call, unless a fresh one is there.
        Until then its answer is ``{"unreachable": True, "msg": ...}``, and nobody waits for it.
        """
        answers: dict[str, Answer] = {}
        asked = set()
        for name, question in questions.items():
            helper = self._helpers[name]
            late = self._late(helper)
            if late is not None:
                answers[name] = late
            if not helper.busy:
                self._send(helper, question)
                asked.add(name)
        self._collect(list(questions), asked, seconds, answers, patience)
        for name in questions:
            if name not in answers:
                asked_at = self._helpers[name].asked_at
                silent = self._clock() - asked_at if asked_at is not None else 0.0
                answers[name] = {"unreachable": True, "msg": f"no answer in {silent:.0f} s"}
        return answers

    def close(self) -> None:
        for helper in self._helpers.values():
            helper.stop()

    def _late(self, helper: _Helper) -> Optional[Answer]:
        if not helper.busy or helper.connection is None:
            return None
        if helper.connection.poll():
            return helper.take()
        assert helper.asked_at is not None
        if self._clock() - helper.asked_at > self._limit:
            helper.stop()
        return None

    def _send(self, helper: _Helper, question: Any) -> None:
        siblings = [other for other in self._helpers.values() if other is not helper]
        try:
            helper.ask(question, self._clock(), siblings)
        except OSError:
            # It died between two questions, so one fresh start is due.
            helper.stop()
            helper.ask(question, self._clock(), siblings)

    def _collect(
        self,
        names: list[str],
        asked: set[str],
        seconds: float,
        answers: dict[str, Answer],
        patience: Optional[float] = None,
    ) -> None:
        began = self._clock()
        deadline = began + seconds
        while True:
            waiting = {
                helper.connection: helper
                for helper in (self._helpers[name] for name in names)
                if helper.busy and helper.connection is not None
            }
            left = deadline - self._clock()
            if left <= 0 or not any(helper.name in asked for helper in waiting.values()):
                return
            ready = wait(list(waiting), timeout=left)
            for connection, helper in waiting.items():
                if connection in ready:
                    answers[helper.name] = helper.take()
                    if patience is not None and helper.name in asked:
                        now = self._clock()
                        deadline = min(deadline, now + max(patience, 3.0 * (now - began)))


def module_on(action: ActionBase, host: str, task_vars: Mapping[str, Any]) -> Work:
    """Work for a :class:`Pool`: runs modules on an inventory host, over that host's own connection.

    The question is ``(module name, arguments)``. Connection, become, shell and interpreter are those that a task of the
    same play would have on that host; ``action`` is the plugin that asks, ``task_vars`` its variables. The answer is
    the module's result; one that could not be reached has ``unreachable`` and the reason in ``msg``.
    """
    kept: list[tuple[ActionBase, dict[str, Any]]] = []

    def work(question: tuple[str, dict[str, Any]]) -> Answer:
        name, arguments = question
        try:
            if not kept:
                kept.append(_remote(action, host, task_vars))
            remote, variables = kept[0]
            result: Answer = dict(
                remote._execute_module(module_name=name, module_args=dict(arguments), task_vars=variables)
            )
            remote.cleanup()
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": _first_lines(error)}
        result.pop("invocation", None)
        if result.get("failed") and not str(result.get("msg") or "").strip("\r\n "):
            result["msg"] = "the module failed without a message"
        return result

    return work


def _first_lines(error: Exception) -> str:
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return text[:300] or type(error).__name__


def _remote(action: ActionBase, host: str, task_vars: Mapping[str, Any]) -> tuple[ActionBase, dict[str, Any]]:
    """An action on ``host`` with its connection, set up as ``TaskExecutor`` does it, and the host's variables."""
    task = action._task.copy()
    task.delegate_to = None
    variables = variables_of(task, host, task_vars)
    templar = Templar(loader=action._loader, variables=variables)
    play_context = PlayContext(passwords=_passwords(action._play_context, task_vars))
    play_context = play_context.set_task_and_variable_override(task=task, variables=variables, templar=templar)
    play_context.post_validate(templar=templar)
    play_context.remote_addr = play_context.remote_addr or host
    name = templar.template(variables["ansible_connection"]) if variables.get("ansible_connection") else task.connection
    play_context.connection = name
    connection = connection_loader.get(
        name, play_context, None, task_uuid=task._uuid, ansible_playbook_pid=str(os.getppid())
    )
    if connection is None:
        raise ValueError(f"the connection plugin {name!r} of host {host} was not found")
    _set_become(connection, task, play_context, variables, templar)
    _set_options(connection, task, play_context, variables, templar)
    connection.update_vars(variables)
    # The plugin of every task that has none of its own; of a module it is the same.
    remote = NormalAction(
        task=task,
        connection=connection,
        play_context=play_context,
        loader=action._loader,
        templar=templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    return remote, variables


def variables_of(task: Any, host: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """A host's variables as a task delegated to it would see them, not templated.

    Through the variable manager, because ``hostvars`` knows nothing of the variables of play, roles and task, where
    people also put ``ansible_user`` and the like; from ``hostvars`` where that manager is not to be had.
    """
    hostvars = task_vars["hostvars"]
    manager = getattr(hostvars, "_variable_manager", None)
    inventory = getattr(hostvars, "_inventory", None)
    if manager is not None and inventory is not None:
        found = manager.get_vars(play=task.get_play(), host=inventory.get_host(host), task=task)
    else:
        found = hostvars.raw_get(host)
    variables = dict(found)
    # Interpreter discovery writes here.
    variables["ansible_facts"] = dict(variables.get("ansible_facts") or {})
    return variables


def _passwords(play_context: PlayContext, task_vars: Mapping[str, Any]) -> dict[str, str]:
    """What was asked for with ``-k`` and ``-K``; a password from variables of the asking host is its own affair."""
    passwords = {}
    for key, attribute in (("conn_pass", "password"), ("become_pass", "become_pass")):
        own = any(name in task_vars for name in C.MAGIC_VARIABLE_MAPPING.get(attribute, ()))
        value = getattr(play_context, attribute, None)
        if value and not own:
            passwords[key] = value
    return passwords


def _set_become(
    connection: Any, task: Any, play_context: PlayContext, variables: Mapping[str, Any], templar: Templar
) -> None:
    wanted = variables.get("ansible_become")
    become = task.become if wanted is None else boolean(templar.template(wanted))
    if not become:
        connection.set_become_plugin(None)
        return
    given = variables.get("ansible_become_method")
    method = templar.template(given) if given else task.become_method
    plugin = become_loader.get(method)
    if plugin is None:
        raise ValueError(f"the become plugin {method!r} was not found")
    connection.set_become_plugin(plugin)
    if getattr(plugin, "require_tty", False) and not getattr(connection, "has_tty", False):
        raise ValueError(f"the connection plugin {connection._load_name!r} has no terminal, which {method!r} needs")
    play_context.set_become_plugin(plugin.name)


def _set_options(
    connection: Any, task: Any, play_context: PlayContext, variables: Mapping[str, Any], templar: Templar
) -> None:
    keys = task.dump_attrs()
    # The task's own timeout and retries are not those of the connection.
    keys["timeout"] = play_context.timeout
    keys.pop("retries", None)
    if play_context.password:
        keys["password"] = play_context.password
    connection.set_options(task_keys=keys, var_options=connection._resolve_option_variables(variables, templar))
    _set_plugin_options(connection._shell, "shell", keys, variables, templar)
    if connection.become is not None:
        if play_context.become_pass:
            keys["become_pass"] = play_context.become_pass
        _set_plugin_options(connection.become, "become", keys, variables, templar)
        for option in ("become_user", "become_flags", "become_exe", "become_pass"):
            try:
                setattr(play_context, option, connection.become.get_option(option))
            except KeyError:
                continue
        play_context.prompt = connection.become.prompt


def _set_plugin_options(
    plugin: Any, kind: str, keys: Mapping[str, Any], variables: Mapping[str, Any], templar: Templar
) -> None:
    options = {}
    for name in C.config.get_plugin_vars(kind, plugin._load_name):
        if name in variables:
            with contextlib.suppress(*_OMITTED):
                options[name] = templar.template(variables[name])
    plugin.set_options(task_keys=keys, var_options=options)
