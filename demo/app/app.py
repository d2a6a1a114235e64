# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample service of the demo: four small pages, and versions that can be told to fail, to be slow or to be ill."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from pathlib import Path

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

VERSION = os.environ["VERSION"]
ERROR_RATIO = float(os.environ.get("ERROR_RATIO", "0"))
HEALTHY = os.environ.get("HEALTHY", "true") == "true"
# Seconds that an answer takes on average, from the service's page, and how many times as long this version needs.
DELAY = float(os.environ.get("DELAY", "0"))
SLOWDOWN = float(os.environ.get("SLOWDOWN", "1"))
# Trouble that comes to this container alone, while it runs: ``{"error_ratio": 0.2}``.
TROUBLE = Path("/dev/shm/trouble.json")
HOST = socket.gethostname()

RENARD = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
REQUESTS = Counter("http_requests_total", "Requests answered.", ["path", "status", "version"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from the request's arrival in the application to its answer, in seconds.",
    ["path", "version"],
    # A quarter apart, since what lies in one bucket cannot be told apart.
    buckets=[round(step * 10.0**power, 6) for power in (-3, -2, -1) for step in RENARD] + [1.0, 2.5],
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


def error_ratio() -> float:
    """The share of the requests that fails: the version's own, or that of a trouble."""
    try:
        return float(json.loads(TROUBLE.read_text(encoding="utf-8"))["error_ratio"])
    except FileNotFoundError:
        return ERROR_RATIO


@app.get("/")
def index() -> tuple[Response, int]:
    """Answer with version and host, as slowly and as badly as it was told to."""
    if DELAY:
        time.sleep(random.expovariate(1.0 / (DELAY * SLOWDOWN)))
    if random.random() < error_ratio():
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
