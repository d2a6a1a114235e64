"""A stand-in for the Docker Engine of a VM at a unix socket: containers, made, listed, started, stopped and removed.

It has no image but those that it pulled, and any registry that it asks has every tag, of one and the same image.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from site_files import LOCAL

IMAGE = {"reference": "registry.example.com/shop", "id": "sha256:" + "a" * 64}
DIGEST = "sha256:" + "d" * 64


class Engine(ThreadingUnixStreamServer):
    """What is asked of it beyond that is not found, as an engine says."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.images: list[dict[str, Any]] = []
        # What was to be pulled, started, stopped, made or removed, in order.
        self.orders: list[str] = []
        # A container that is asked to stop goes on running until this is set.
        self.may_stop = threading.Event()
        self.may_stop.set()
        # What must not survive a reboot of the VM.
        self.run_dir = path.with_suffix(".run")
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def entry(self) -> dict[str, Any]:
        """For the inventory: a VM whose engine this is."""
        return {
            **LOCAL,
            "deploy_docker_socket": f"unix://{self.server_address!s}",
            "deploy_run_dir": str(self.run_dir),
        }

    @property
    def running(self) -> list[str]:
        return sorted(name for name, entry in self.entries.items() if entry["State"] == "running")

    def runs(self, version: str, color: str, image_id: str = IMAGE["id"]) -> None:
        """This, and nothing else of service ``shop``."""
        own = {"service": "shop", "color": color, "version": version}
        labels = {f"sluice.bluegreen.{key}": value for key, value in own.items()}
        name = f"shop-{color}-{version}"
        self.entries = {name: {**listed(name), "State": "running", "ImageID": image_id, "Labels": labels}}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any = None) -> tuple[int, Any]:
        """Status and body."""
        for name in list(self.entries):
            path = path.replace(id_of(name), name)
        if method != "GET":
            self.orders.append(f"{method} {path}")
        if (method, path) == ("GET", "/version"):
            return 200, {"ApiVersion": "1.47"}
        if (method, path) == ("GET", "/containers/json"):
            wanted = json.loads(query.get("filters", ["{}"])[0]).get("label", [])
            return 200, [entry for entry in self.entries.values() if labels_of(entry) >= set(wanted)]
        if (method, path) == ("GET", "/images/json"):
            return 200, self.images
        if method == "GET" and path.startswith("/distribution/"):
            return 200, {"Descriptor": {"digest": DIGEST}}
        if (method, path) == ("POST", "/images/create"):
            return 200, self.pull(query["fromImage"][0], query["tag"][0])
        if (method, path) == ("POST", "/containers/create"):
            return 201, self.make(query["name"][0], body)
        _, kind, name, *verb = unquote(path).split("/")
        there = self.images if kind == "images" else []
        image = next((one for one in there if one["Id"] == name), None)
        if image and (method, verb) == ("GET", ["json"]):
            return 200, image
        entry = self.entries.get(name) if kind == "containers" else None
        if entry and (method, verb) == ("GET", ["json"]):
            made = entry.get("made", {})
            state = {"Running": entry["State"] == "running", "Status": entry["State"]}
            told = {"Id": entry["Id"], "Name": f"/{name}", "Image": entry["ImageID"], "State": state}
            config = {"Labels": entry["Labels"], **made}
            return 200, {**told, "Config": config, "HostConfig": made.get("HostConfig", {})}
        if entry and (method, verb) in (("POST", ["start"]), ("POST", ["stop"])):
            if verb == ["stop"]:
                self.may_stop.wait(60)
            entry["State"] = "running" if verb == ["start"] else "exited"
            return 204, None
        if entry and (method, verb) == ("DELETE", []):
            self.entries = {key: other for key, other in self.entries.items() if other is not entry}
            return 204, None
        return 404, {"message": f"No such thing: {method} {path}"}

    def pull(self, repository: str, tag: str) -> dict[str, str]:
        names = {"RepoTags": [], "RepoDigests": [f"{repository}@{tag}"]}
        self.images = [{"Id": IMAGE["id"], "Created": 0, "Config": {}, **names}]
        return {"status": "Pull complete"}

    def make(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        made = {"State": "created", "ImageID": IMAGE["id"], "Labels": wanted["Labels"], "made": wanted}
        self.entries[name] = {**listed(name), **made}
        return {"Id": id_of(name), "Warnings": []}


def listed(name: str) -> dict[str, Any]:
    return {"Id": id_of(name), "Names": [f"/{name}"]}


def id_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def labels_of(entry: dict[str, Any]) -> set[str]:
    """The labels as a filter writes them."""
    return {f"{key}={value}" for key, value in entry["Labels"].items()}


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        self.reply()

    def do_POST(self) -> None:
        self.reply()

    def do_DELETE(self) -> None:
        self.reply()

    def reply(self) -> None:
        asked = urlsplit(self.path)
        told = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # A client that has asked for the version writes it before each path.
        path = re.sub(r"^/v1\.[0-9]+/", "/", asked.path)
        status, content = self.server.answer(self.command, path, parse_qs(asked.query), json.loads(told or b"null"))
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass
