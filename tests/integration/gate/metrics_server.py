"""A stand-in for Prometheus that answers with what a site's servers really did."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

from gate_lab import Site

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0)


class MetricsServer:
    """Instant queries ``requests``, ``bad``, ``buckets`` by color and server, ``failed_green`` and ``failed_blue``.

    ``/value`` answers a JSON object; both want the header ``X-Key`` where ``key`` is set.
    """

    def __init__(self, site: Site, key: Optional[str] = None) -> None:
        self.key = key
        self.site = site
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if server.key and self.headers["X-Key"] != server.key:
                    self._answer(403, {"error": f"{self.headers['X-Key']} may not read this"})
                    return
                asked = urlsplit(self.path)
                if asked.path == "/value":
                    failed = sum(app.failed for app in server.site.apps.values())
                    self._answer(200, {"data": {"series": [{"failed": failed, "name": None}]}})
                    return
                found = server.query(parse_qs(asked.query)["query"][0])
                data = {"resultType": "vector", "result": found}
                self._answer(200, {"status": "success", "data": data})

            def _answer(self, status: int, body: Any) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def query(self, query: str) -> list[dict[str, Any]]:
        series = []
        for name, app in self.site.apps.items():
            labels = {"color": name.rstrip("0123456789"), "server": f"{name}:8080"}
            if query == "requests":
                series.append((labels, app.served))
            elif query == "bad" and app.failed:
                # A counter with labels is not there before its first event.
                series.append((labels, app.failed))
            elif query == "buckets":
                took = list(app.took)
                for bound in (*BOUNDS, float("inf")):
                    le = "+Inf" if bound == float("inf") else str(bound)
                    series.append(({**labels, "le": le}, sum(one <= bound for one in took)))
            elif query == f"failed_{labels['color']}":
                series.append((labels, app.failed))
        return [{"metric": labels, "value": [0, str(value)]} for labels, value in series]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
