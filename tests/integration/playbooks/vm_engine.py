"""A stand-in for the Docker Engine of a VM: its containers, listed, started, stopped and removed at a unix socket.

It has no image, and any registry that it asks has every tag.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from site_files import LOCAL

IMAGE = {"reference": "registry.example.com/shop", "id": "sha256:" + "a" * 64}


class Engine(ThreadingUnixStreamServer):
    """What is asked of it beyond that is not found, as an engine says."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        # What was to be started, stopped, made or removed, in order.
        self.orders: list[str] = []
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def entry(self) -> dict[str, Any]:
        """For the inventory: a VM whose engine this is."""
        return {**LOCAL, "deploy_docker_socket": f"unix://{self.server_address!s}"}

    @property
    def running(self) -> list[str]:
        return sorted(name for name, entry in self.entries.items() if entry["State"] == "running")

    def runs(self, version: str, color: str, image_id: str = IMAGE["id"]) -> None:
        """This, and nothing else of service ``shop``."""
        own = {"service": "shop", "color": color, "version": version}
        labels = {f"sluice.bluegreen.{key}": value for key, value in own.items()}
        name = f"shop-{color}-{version}"
        self.entries = {name: {"Names": [f"/{name}"], "State": "running", "ImageID": image_id, "Labels": labels}}

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Status and body."""
        if method != "GET":
            self.orders.append(f"{method} {path}")
        if (method, path) == ("GET", "/containers/json"):
            wanted = json.loads(query.get("filters", ["{}"])[0]).get("label", [])
            return 200, [entry for entry in self.entries.values() if labels_of(entry) >= set(wanted)]
        if (method, path) == ("GET", "/images/json"):
            return 200, []
        if method == "GET" and path.startswith("/distribution/"):
            return 200, {"Descriptor": {"digest": "sha256:" + "d" * 64}}
        _, kind, name, *verb = unquote(path).split("/")
        entry = self.entries.get(name) if kind == "containers" else None
        if entry and (method, verb) == ("GET", ["json"]):
            return 200, {"Config": {}, "State": {"Running": entry["State"] == "running"}}
        if entry and (method, verb) in (("POST", ["start"]), ("POST", ["stop"])):
            entry["State"] = "running" if verb == ["start"] else "exited"
            return 204, None
        if entry and (method, verb) == ("DELETE", []):
            del self.entries[name]
            return 204, None
        return 404, {"message": f"No such thing: {method} {path}"}


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
        status, content = self.server.answer(self.command, asked.path, parse_qs(asked.query))
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass
