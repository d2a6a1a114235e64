# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger in PostgreSQL: v1 keeps an amount as a decimal number, v2 in cents."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
from flask import Flask, Response, jsonify, request

VERSION = os.environ["VERSION"]
DATABASE = Path("/run/secrets/database")
# Each version knows its own column only, and speaks cents to its users.
WRITE, READ = {
    "v1": (
        "INSERT INTO entries (id, amount) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET amount = EXCLUDED.amount",
        "SELECT amount FROM entries WHERE id = %s",
    ),
    "v2": (
        "INSERT INTO entries (id, cents) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET cents = EXCLUDED.cents",
        "SELECT cents FROM entries WHERE id = %s",
    ),
}[VERSION]

app = Flask(__name__)
local = threading.local()


def database(ask: Callable[[Any], Any]) -> Any:
    """Ask within a transaction, over this thread's own connection; a broken one is made anew by the next request."""
    try:
        if getattr(local, "connection", None) is None:
            local.connection = psycopg2.connect(DATABASE.read_text(), connect_timeout=5)
        with local.connection, local.connection.cursor() as cursor:
            return ask(cursor)
    except psycopg2.Error:
        local.connection = None
        raise


@app.after_request
def version(response: Response) -> Response:
    """Say which version answered."""
    response.headers["X-App-Version"] = VERSION
    return response


@app.put("/entries/<int:number>")
def write(number: int) -> Response:
    """Write an entry, in cents; what is answered is committed."""
    cents = int(request.get_data())
    value = cents if VERSION == "v2" else Decimal(cents) / 100
    database(lambda cursor: cursor.execute(WRITE, (number, value)))
    return jsonify(number=number, cents=cents)


@app.get("/entries/<int:number>")
def read(number: int) -> tuple[Response, int]:
    """Give an entry, in cents."""

    def ask(cursor: Any) -> Any:
        cursor.execute(READ, (number,))
        return cursor.fetchone()

    row = database(ask)
    if row is None:
        return jsonify(error="there is no such entry"), 404
    return jsonify(number=number, cents=int(row[0] if VERSION == "v2" else row[0] * 100)), 200


@app.get("/healthz")
def healthz() -> Response:
    """Answer when the database does."""
    database(lambda cursor: cursor.execute("SELECT 1"))
    return jsonify(healthy=True)
