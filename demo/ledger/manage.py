#!/usr/bin/python3
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``manage.py expand`` makes the database fit for this version and the one before, ``contract`` for this one alone.

Both ask for what is there, so that they can be run again, and wait for no lock longer than two seconds: what the
service does then goes on, and the release does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg2

# The same file as the app's.
DATABASE = Path("/run/secrets/database")
BATCH = 1000
TABLE = "CREATE TABLE IF NOT EXISTS entries (id bigint PRIMARY KEY, amount numeric(12, 2) NOT NULL)"
COLUMN = "ALTER TABLE entries ADD COLUMN IF NOT EXISTS cents bigint"
# Whichever of the two columns a version writes, the other one follows, in the same statement.
IN_STEP = """
    CREATE OR REPLACE FUNCTION entries_in_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' AND NEW.cents IS NULL THEN
            NEW.cents := round(NEW.amount * 100);
        ELSIF TG_OP = 'INSERT' OR NEW.cents IS DISTINCT FROM OLD.cents THEN
            NEW.amount := NEW.cents / 100.0;
        ELSE
            NEW.cents := round(NEW.amount * 100);
        END IF;
        RETURN NEW;
    END $$
"""
TRIGGER = """
    DROP TRIGGER IF EXISTS entries_in_step ON entries;
    CREATE TRIGGER entries_in_step BEFORE INSERT OR UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION entries_in_step()
"""
BACKFILL = """
    UPDATE entries SET cents = round(amount * 100)
    WHERE id IN (SELECT id FROM entries WHERE cents IS NULL LIMIT %s FOR UPDATE SKIP LOCKED)
"""
FORGET = """
    DROP TRIGGER IF EXISTS entries_in_step ON entries;
    DROP FUNCTION IF EXISTS entries_in_step();
    ALTER TABLE entries DROP COLUMN IF EXISTS amount, ALTER COLUMN cents SET NOT NULL
"""


def has_amount(cursor: psycopg2.extensions.cursor) -> bool:
    """Whether the column of v1 is still there, or nothing at all."""
    cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'entries'")
    columns = [name for (name,) in cursor.fetchall()]
    return not columns or "amount" in columns


def expand(connection: psycopg2.extensions.connection, version: str) -> None:
    """Each statement is a transaction of its own: whoever writes waits for a moment, never for the whole table."""
    with connection.cursor() as cursor:
        if not has_amount(cursor):
            print("contracted already")
            return
        for statement in [TABLE] if version == "v1" else [TABLE, COLUMN, IN_STEP, TRIGGER]:
            cursor.execute(statement)
        filled = BATCH if version != "v1" else 0
        while filled == BATCH:
            cursor.execute(BACKFILL, (BATCH,))
            filled = cursor.rowcount


def contract(connection: psycopg2.extensions.connection, version: str) -> None:
    """Take away what only the version before needed; v1 is the first."""
    if version != "v1":
        with connection.cursor() as cursor:
            cursor.execute(FORGET)


def main() -> None:
    connection = psycopg2.connect(DATABASE.read_text(), connect_timeout=5, options="-c lock_timeout=2s")
    connection.autocommit = True
    {"expand": expand, "contract": contract}[sys.argv[1]](connection, os.environ["VERSION"])


if __name__ == "__main__":
    main()
