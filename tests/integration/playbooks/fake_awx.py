"""As much of the API of AWX as ``awx.awx`` asks for: objects with ids, looked up by name, and what belongs to what."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "let-me-in"
ROLES = {
    "job_templates": ("admin_role", "execute_role", "read_role"),
    "workflow_job_templates": ("admin_role", "execute_role", "approval_role", "read_role"),
}
# What AWX fills in where a notification of the type does not say it.
WEBHOOK = {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": ""}
# What AWX makes of a value, however it was given, and which ones it takes.
NUMBERS = (
    "forks",
    "timeout",
    "job_slice_count",
    "organization",
    "inventory",
    "project",
    "source_project",
    "credential",
)
SWITCHES = (
    "allow_simultaneous",
    "survey_enabled",
    "overwrite",
    "overwrite_vars",
    "update_on_launch",
    "scm_update_on_launch",
)
CHOICES = {
    ("inventories", "kind"): ("", "smart", "constructed"),
    ("inventory_sources", "source"): ("file", "scm", "ec2"),
    ("projects", "scm_type"): ("", "git", "svn", "insights", "archive"),
    ("notification_templates", "notification_type"): ("email", "grafana", "irc", "mattermost", "slack", "webhook"),
    ("execution_environments", "pull"): ("", "always", "missing", "never"),
    ("job_templates", "webhook_service"): ("", "github", "gitlab"),
}
# What no two of a kind may have in common.
UNIQUE = {
    "execution_environments": ("name",),
    "inventory_sources": ("inventory", "name"),
    "workflow_job_template_nodes": ("workflow_job_template", "identifier"),
}
DONE = {"status": "successful", "failed": False, "event_processing_finished": True}
QUESTION = {"question_name", "question_description", "required", "type", "variable"}
Item = dict[str, Any]


class RefusedError(Exception):
    """Status 400."""


class FakeAwx(ThreadingHTTPServer):
    """``writes`` are the requests that could have changed something, ``things`` the objects by kind.

    ``playbooks`` are those in the repository, which a project has seen when it was last updated.
    """

    daemon_threads = True

    def __init__(self, playbooks: Iterable[str], credentials: Mapping[str, str]) -> None:
        self.playbooks = list(playbooks)
        self.things: dict[str, list[Item]] = {}
        self.lists: dict[str, list[int]] = {}
        self.surveys: dict[str, Item] = {}
        self.writes: list[str] = []
        self.number = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.add("organizations", {"name": "Default"})
        for name, kind in credentials.items():
            self.add("credentials", {"name": name, "kind": kind})
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def state(self) -> str:
        """All that it has, for :meth:`put_back`."""
        return json.dumps({name: getattr(self, name) for name in ("playbooks", "things", "lists", "surveys", "number")})

    def put_back(self, state: str) -> None:
        vars(self).update(json.loads(state))

    def next(self) -> int:
        self.number += 1
        return self.number

    def add(self, kind: str, fields: Mapping[str, Any]) -> Item:
        number = self.next()
        url = f"/api/v2/{kind}/{number}/"
        item: Item = {
            "description": "",
            **fields,
            "id": number,
            "url": url,
            "type": {"inventories": "inventory"}.get(kind, kind.rstrip("s")),
            "related": {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"},
            "summary_fields": {"object_roles": {name: {"id": self.next()} for name in ROLES.get(kind, ())}},
        }
        self.things.setdefault(kind, []).append(item)
        return item

    def named(self, kind: str) -> dict[str, Item]:
        return {item.get("identifier") or item["name"]: item for item in self.things.get(kind, [])}

    def get(self, path: list[str], asked: Mapping[str, str]) -> Item | list[str]:
        kind, *rest = path
        if not rest:
            kinds = ["job_templates", "workflow_job_templates"] if kind == "unified_job_templates" else [kind]
            found = [item for kind in kinds for item in self.things.get(kind, []) if _fits(item, asked)]
            return _page(found)
        if kind == "project_updates":
            return {**DONE, "scm_revision": self._updated(rest[0])["scm_revision"]}
        if kind == "inventory_updates":
            return {**DONE}
        if rest[1:] == ["playbooks"]:
            return list(self._one(kind, rest[0])["playbooks"])
        if rest[1:] == ["survey_spec"]:
            return self.surveys.get("/".join(path), {})
        if rest[1:]:
            self._listable(path)
            return _page([{"id": number} for number in self.lists.get("/".join(path), [])])
        return self._one(kind, rest[0])

    def post(self, path: list[str], data: Item) -> tuple[int, Item]:
        kind, *rest = path
        if not rest:
            return 201, self._create(kind, data)
        if rest[1:] == ["survey_spec"]:
            _check_survey(data)
            self.surveys["/".join(path)] = data
            return 200, {}
        if rest[1:] == ["create_approval_template"]:
            node = self._one(kind, rest[0])
            item = self.add("workflow_approval_templates", _stored("workflow_approval_templates", data))
            node.update(unified_job_template=item["id"], related={"unified_job_template": item["url"]})
            return 201, item
        if rest[1:] == ["update"]:
            updates = {"projects": "project_updates", "inventory_sources": "inventory_updates"}[kind]
            return 202, {"id": int(rest[0]), "status": "pending", "url": f"/api/v2/{updates}/{rest[0]}/"}
        self._listable(path)
        listed = self.lists.setdefault("/".join(path), [])
        if data.get("disassociate"):
            listed.remove(data["id"])
        else:
            listed.append(data["id"])
        return 204, {}

    def patch(self, path: list[str], data: Item) -> Item:
        item = self._one(*path)
        stored = _stored(path[0], data)
        self._check(path[0], {**item, **stored})
        item.update(stored)
        return item

    def delete(self, path: list[str]) -> None:
        item = self._one(*path)
        self.things[path[0]].remove(item)
        for listed in self.lists.values():
            if item["id"] in listed:
                listed.remove(item["id"])

    def _create(self, kind: str, data: Item) -> Item:
        data = _stored(kind, data)
        if kind == "job_templates":
            data["organization"] = self._one("projects", str(data["project"]))["organization"]
        self._check(kind, data)
        if kind == "notification_templates":
            data["notification_configuration"] = {**WEBHOOK, **data["notification_configuration"]}
        item = self.add(kind, data)
        if kind == "projects":
            item.update(scm_revision="", playbooks=[])
            item["summary_fields"]["current_update"] = {"id": item["id"]}
        return item

    def _check(self, kind: str, item: Item) -> None:
        """What AWX itself would refuse of an object as it would be then."""
        unique = UNIQUE.get(kind, ("organization", "name"))
        for other in self.things.get(kind, []):
            if other["id"] != item.get("id") and all(other.get(name) == item.get(name) for name in unique):
                raise RefusedError(f"{kind} with this {' and '.join(unique)} already exists.")
        if kind == "job_templates" and item["playbook"] not in self._one("projects", str(item["project"]))["playbooks"]:
            raise RefusedError("Playbook not found for project.")
        if kind == "inventory_sources" and "credential" in item:
            credential = self._one("credentials", str(item["credential"]))
            if credential["kind"] in ("insights", "vault"):
                raise RefusedError("Credentials of type insights and vault are disallowed for scm inventory sources.")

    def _updated(self, number: str) -> Item:
        project = self._one("projects", number)
        project["summary_fields"].pop("current_update", None)
        project["playbooks"] = sorted(self.playbooks)
        project["scm_revision"] = f"with {len(self.playbooks)} playbooks"
        return project

    def _one(self, kind: str, number: str) -> Item:
        for item in self.things.get(kind, []):
            if item["id"] == int(number):
                return item
        raise KeyError(f"{kind}/{number}")

    def _listable(self, path: list[str]) -> None:
        if path[0] == "workflow_approval_templates":
            raise KeyError("/".join(path))


def _fits(item: Item, asked: Mapping[str, str]) -> bool:
    return all(str(item.get(name)) == value for name, value in asked.items() if name != "page_size")


def _stored(kind: str, data: Item) -> Item:
    """The values as AWX keeps them."""
    kept = dict(data)
    for name, value in data.items():
        if name in NUMBERS:
            kept[name] = int(value)
        elif name in SWITCHES or name.startswith("ask_"):
            kept[name] = {"true": True, "false": False}.get(str(value).lower())
            if kept[name] is None:
                raise RefusedError(f"{name}: must be a valid boolean.")
        elif (kind, name) in CHOICES:
            kept[name] = value or ""
            if kept[name] not in CHOICES[kind, name]:
                raise RefusedError(f'{name}: "{value}" is not a valid choice.')
    return kept


def _page(found: list[Item]) -> Item:
    return {"count": len(found), "next": None, "results": found}


def _check_survey(spec: Item) -> None:
    """What AWX itself would refuse."""
    if not {"name", "description", "spec"} <= set(spec) or not spec["spec"]:
        raise RefusedError("a survey has a name, a description and questions")
    for question in spec["spec"]:
        if not set(question) >= QUESTION or not isinstance(question["required"], bool):
            raise RefusedError(f"{question} is no question")
        default = question.get("default", "")
        if question["type"] == "multiplechoice" and default not in ("", *question["choices"]):
            raise RefusedError(f"{default} is no choice of {question['variable']}")
        if question["type"] == "text" and not isinstance(question["min"], int):
            raise RefusedError(f"the least length of {question['variable']} is no number")


class _Handler(BaseHTTPRequestHandler):
    server: FakeAwx
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def _serve(self) -> None:
        url = urlsplit(self.path)
        path = [part for part in url.path.removeprefix("/api/v2").split("/") if part]
        length = int(self.headers.get("Content-Length") or 0)
        data = json.loads(self.rfile.read(length) or b"{}")
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer(401, {})
        with self.server.lock:
            if self.command != "GET":
                self.server.writes.append(f"{self.command} {url.path} {json.dumps(data)}")
            try:
                if self.command == "GET":
                    return self._answer(200, self.server.get(path, dict(parse_qsl(url.query))))
                if self.command == "PATCH":
                    return self._answer(200, self.server.patch(path, data))
                if self.command == "DELETE":
                    self.server.delete(path)
                    return self._answer(204, {})
                return self._answer(*self.server.post(path, data))
            except RefusedError as error:
                return self._answer(400, {"error": str(error)})
            except KeyError as error:
                return self._answer(404, {"detail": str(error)})

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

    def _answer(self, status: int, body: Item | list[str]) -> None:
        text = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args: object) -> None:
        """Quiet."""
