# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample service of the demo: four small pages, and a version that can be told to fail or to be ill."""

from __future__ import annotations

import os
import random
import socket
import time

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

VERSION = os.environ["VERSION"]
ERROR_RATIO = float(os.environ.get("ERROR_RATIO", "0"))
HEALTHY = os.environ.get("HEALTHY", "true") == "true"
HOST = socket.gethostname()

REQUESTS = Counter("http_requests_total", "Requests answered.", ["path", "status", "version"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from the request's arrival in the application to its answer, in seconds.",
    ["path", "version"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)

app = Flask(__name__)


@app.before_request
def start_clock() -> None:
    """Remember when the request came."""
    g.start = time.perf_counter()


@app.after_request
def record(response: Response) -> Response:
    """Count the request, and say which version answered, whatever the answer is."""
    # The rule, not the path: a scanner's thousand addresses must not become a thousand time series.
    path = request.url_rule.rule if request.url_rule else "unknown"
    LATENCY.labels(path, VERSION).observe(time.perf_counter() - g.start)
    REQUESTS.labels(path, str(response.status_code), VERSION).inc()
    response.headers["X-App-Version"] = VERSION
    return response


@app.get("/")
def index() -> tuple[Response, int]:
    """Answer with version and host; fail in the share ``ERROR_RATIO`` of the requests."""
    if random.random() < ERROR_RATIO:
        return jsonify(error="this version fails now and then", version=VERSION, host=HOST), 500
    return jsonify(version=VERSION, host=HOST), 200


@app.get("/canary")
def canary() -> Response:
    """Say which version answers, for whoever wants to look at one color only."""
    return jsonify(version=VERSION, host=HOST, canary=True)


@app.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Answer 200 when this version can serve, 503 when it was built never to be healthy."""
    return jsonify(healthy=HEALTHY, version=VERSION), 200 if HEALTHY else 503


@app.get("/metrics")
def metrics() -> Response:
    """Give the counters in Prometheus' text format."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
