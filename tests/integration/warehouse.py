"""A database of a test, and what its server knows about it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

SLOW_ROWS = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN COALESCE(NEW, OLD); END $$
"""


class Warehouse:
    """A database, as a test sees it.

    Args:
        url: Its URL, with the password of the user that it belongs to.
    """

    def __init__(self, url):
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)

    def __call__(self, statement):
        """Execute a statement, and return its rows."""
        cursor = self.connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

    def airflow_connection(self, **changes):
        """Return the connection as Airflow reads it from the environment."""
        parts = urlsplit(self.url)
        known = {
            "conn_type": "postgres",
            "host": parts.hostname,
            "port": parts.port,
            "login": parts.username,
            "password": parts.password,
            "schema": parts.path.strip("/"),
        }
        return json.dumps(known | changes)

    def ratings(self, where="TRUE"):
        """Return the ratings of the table `ratings`, in canonical order."""
        return self(
            f'SELECT "userId", "movieId", rating, "timestamp" FROM ratings WHERE {where} '
            'ORDER BY "timestamp", "userId", "movieId"'
        )

    def written(self, table="ratings"):
        """Return how many rows were ever written to a table, once all other connections have ended; and its size."""
        self.wait_until(lambda: not self.others())
        return self(
            "SELECT n_tup_ins, n_tup_upd, n_tup_del, pg_total_relation_size(relid) FROM pg_stat_user_tables "
            f"WHERE relname = '{table}'"
        )

    def others(self):
        """Return the processes of the server that serve other connections to the database."""
        found = self(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in found]

    def waiting(self):
        """Return the second keys of the advisory locks that other connections wait for."""
        return [key for (key,) in self("SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")]

    @contextmanager
    def slow_rows(self, table="ratings"):
        """Let each statement wait until the block ends before it changes a row of a table, also in the middle of COPY."""
        self(SLOW_ROWS)
        for event in ("INSERT", "UPDATE", "DELETE"):
            self(
                f"CREATE TRIGGER slow_{event} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION wait_for_the_test()"
            )
        self("SELECT pg_advisory_lock(42)")
        try:
            yield
        finally:
            self("SELECT pg_advisory_unlock(42)")

    def wait_until(self, condition, seconds=20):
        """Wait until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)
