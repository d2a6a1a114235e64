# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of an OpenStack cloud as it takes to log in, to look around, to make a server and to remove it."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PASSWORD = "right"
FLAVORS = [("tiny", 1, 512), ("small", 1, 1024), ("medium", 2, 2048)]


class Cloud:
    """Listens on the loopback; ``servers`` is what it has by id, ``written`` every request that was no reading."""

    def __init__(self) -> None:
        self.servers: dict[str, dict[str, Any]] = {}
        self.written: list[tuple[str, str, Any]] = []
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            do_POST = do_DELETE = do_GET  # noqa: N815

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, found, headers = cloud.answer(self.command, urlsplit(self.path), body)
                text = b"" if found is None else json.dumps(found).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def add(self, name: str, metadata: dict[str, str]) -> dict[str, Any]:
        """One more server that runs."""
        number = len(self.servers) + 1
        server = {
            "id": f"00000000-0000-0000-0000-{number:012}",
            "name": name,
            "status": "ACTIVE",
            "metadata": metadata,
            "flavor": {"id": "2"},
            "image": {"id": "i1"},
            "security_groups": [{"name": "default"}],
            "addresses": {"internal": [{"addr": f"192.0.2.{number}", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
        }
        self.servers[server["id"]] = server
        return server

    def answer(self, method: str, url: Any, body: Any) -> tuple[int, Any, dict[str, str]]:
        path, query = url.path.rstrip("/"), {key: value[0] for key, value in parse_qs(url.query).items()}
        if path == "/identity/v3/auth/tokens" and method == "POST":
            return self.log_in(body)
        if method != "GET":
            self.written.append((method, path, body))
        if path in ("", "/identity", "/identity/v3"):
            return 200, {"version": self.version("v3.14", "/identity/v3")}, {}
        if path in ("/compute", "/compute/v2.1"):
            version = {**self.version("v2.1", "/compute/v2.1"), "version": "2.90", "min_version": "2.1"}
            return 200, {"version": version} if path.endswith("v2.1") else {"versions": [version]}, {}
        if path in ("/image", "/image/v2"):
            return 200, {"versions": [self.version("v2.9", "/image/v2/")]}, {}
        if path in ("/network", "/network/v2.0"):
            return 200, {"versions": [self.version("v2.0", "/network/v2.0")]}, {}
        if path == "/image/v2/images":
            image = {"id": "i1", "name": "debian-12", "status": "active"}
            return 200, {"images": [image] if query.get("name", "debian-12") == "debian-12" else []}, {}
        if path == "/network/v2.0/networks":
            return 200, {"networks": [{"id": "n1", "name": "internal"}]}, {}
        if path.startswith("/compute/v2.1/flavors"):
            return self.flavors(path.split("/")[4:])
        if path.startswith("/compute/v2.1/servers"):
            return self.serve(method, path.split("/")[4:], query, body)
        return 404, {"error": {"message": f"no {path}"}}, {}

    def version(self, name: str, path: str) -> dict[str, Any]:
        return {"id": name, "status": "CURRENT", "links": [{"rel": "self", "href": f"{self.url}{path}"}]}

    def log_in(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        if body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "Who are you?"}}, {}
        services = {"identity": "/identity", "compute": "/compute/v2.1", "image": "/image", "network": "/network"}
        catalog = [
            {
                "type": name,
                "name": name,
                "id": name,
                "endpoints": [
                    {"id": name, "interface": "public", "region": "here", "region_id": "here", "url": self.url + path}
                ],
            }
            for name, path in services.items()
        ]
        token = {
            "methods": ["password"],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u1", "name": "me", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p1", "name": "ours", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r1", "name": "member"}],
            "catalog": catalog,
        }
        return 201, {"token": token}, {"X-Subject-Token": "a-token"}

    def flavors(self, rest: list[str]) -> tuple[int, Any, dict[str, str]]:
        known = [
            {"id": str(number), "name": name, "vcpus": cpus, "ram": ram, "disk": 10, "extra_specs": {}}
            for number, (name, cpus, ram) in enumerate(FLAVORS, 1)
        ]
        if rest in ([], ["detail"]):
            return 200, {"flavors": known}, {}
        if rest[1:] == ["os-extra_specs"]:
            return 200, {"extra_specs": {}}, {}
        found = [one for one in known if one["id"] == rest[0]]
        return (200, {"flavor": found[0]}, {}) if found else (404, {}, {})

    def serve(self, method: str, rest: list[str], query: dict[str, str], body: Any) -> tuple[int, Any, dict[str, str]]:
        if method == "POST" and not rest:
            made = self.add(body["server"]["name"], body["server"]["metadata"])
            return 202, {"server": made}, {}
        if rest in ([], ["detail"]):
            named = [one for one in self.servers.values() if re.search(query.get("name", ""), one["name"])]
            return 200, {"servers": named}, {}
        server = self.servers.get(rest[0])
        if server is None:
            return 404, {"itemNotFound": {"code": 404, "message": "no such server"}}, {}
        if rest[1:] == ["os-security-groups"]:
            return 200, {"security_groups": [{"id": "g1", "name": "default"}]}, {}
        if method == "DELETE":
            del self.servers[rest[0]]
            return 204, None, {}
        return 200, {"server": server}, {}
