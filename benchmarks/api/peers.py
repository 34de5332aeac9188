"""The competitors: how each is started, and its path for a request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from benchmarks.api.workloads import Request
from benchmarks.servers import PASSWORD, USER, Server, free_port

PROGRAMS = Path(sys.executable).parent
COLUMNS = ["movieId", "rating", "timestamp", "userId"]
IN_ORDER = "SELECT movieId, rating, timestamp, userId FROM ratings ORDER BY timestamp, userId, movieId"
MORE_THAN_ANY_LOAD = 1_000_000
CREDENTIALS = {"API_USER": USER, "API_PASSWORD": PASSWORD}


class Peer(Protocol):
    """A competitor."""

    @property
    def name(self) -> str:
        """Its name in tables and messages."""

    def start(self, folder: Path) -> Server:
        """Start the server; its log goes into the folder."""

    def path(self, request: Request) -> str:
        """Return the path of a request."""


@dataclass(frozen=True)
class Ours:
    """movielens-api with everything on: users in the users file, rate limit, access log, metrics.

    Attributes:
        dataset: The dataset to serve.
        caches: The folder for its caches.
        workers: The number of processes.
        options: Further options.
    """

    dataset: str
    caches: Path
    workers: int
    name: str = "movielens-api"
    options: tuple[str, ...] = ()

    def start(self, folder: Path) -> Server:
        """Start the server without posted ratings, with one user in the users file."""
        home = Path(tempfile.mkdtemp(prefix="movielens-api-", dir=folder))
        environ = {"XDG_CACHE_HOME": str(self.caches), "XDG_DATA_HOME": str(home)}
        program, port = str(PROGRAMS / "movielens-api"), free_port()
        adding = [program, "users", "add", USER, "--role", "write", "--password-stdin"]
        subprocess.run(adding, input=PASSWORD, env={**os.environ, **environ}, text=True, check=True)
        serve = [program, "serve", "--dataset", self.dataset, "--port", str(port), "--workers", str(self.workers)]
        features = ["--rate-limit", str(MORE_THAN_ANY_LOAD), "--access-log", str(home / "access.log")]
        return Server(self.name, port, [*serve, *features, *self.options], home / "server.log", environ)

    def path(self, request: Request) -> str:
        """Return the path of a request."""
        return _ratings(request)


@dataclass(frozen=True)
class FastApiSqlAlchemy:
    """The usual implementation, in as many processes as ours.

    Attributes:
        database: An SQLite file.
        workers: The number of processes.
    """

    database: Path
    workers: int
    name: str = "FastAPI + SQLAlchemy + SQLite"

    def start(self, folder: Path) -> Server:
        """Start the server with uvicorn, without an access log."""
        port = free_port()
        app = ["benchmarks.api.fastapi_sqlalchemy:app", "--port", str(port), "--workers", str(self.workers)]
        command = [str(PROGRAMS / "uvicorn"), *app, "--no-access-log"]
        environ = {"DATABASE_URL": f"sqlite:///file:{self.database}?mode=ro&uri=true", **CREDENTIALS}
        return Server(self.name, port, command, folder / "fastapi.log", environ)

    def path(self, request: Request) -> str:
        """Return the path of a request."""
        return _ratings(request)


@dataclass(frozen=True)
class Datasette:
    """datasette, which is one process by design and requires no password.

    Attributes:
        database: An SQLite file called ``ratings.db``.
    """

    database: Path
    name: str = "datasette"

    def start(self, folder: Path) -> Server:
        """Start the server with the limits that the largest page and offset need."""
        settings = {"max_returned_rows": 10_000, "sql_time_limit_ms": 60_000, "suggest_facets": "off"}
        options = [text for name, value in settings.items() for text in ("--setting", name, str(value))]
        port = free_port()
        files = ["--immutable", str(self.database), "--port", str(port)]
        command = [str(PROGRAMS / "datasette"), "serve", *files, *options]
        return Server(self.name, port, command, folder / "datasette.log")

    def path(self, request: Request) -> str:
        """Return the path of a request: a page of the table, or SQL for an offset, which pages of tables lack."""
        if request.offset:
            sql = f"{IN_ORDER} LIMIT {request.limit} OFFSET {request.offset}"
            return "/ratings.json?" + urlencode({"_shape": "objects", "sql": sql})
        query = {"_shape": "objects", "_sort": "timestamp", "_size": request.limit, "_nofacet": 1}
        if request.start and request.end:
            query |= {"timestamp__gte": _midnight(request.start), "timestamp__lt": _midnight(request.end)}
        return "/ratings/ratings.json?" + urlencode(query | {"_col": COLUMNS}, doseq=True)


def rows_of(body: bytes) -> list[Mapping[str, float]]:
    """Return the rows of any competitor's response, with only our columns, in our order."""
    response = json.loads(body)
    rows = response["result"] if "result" in response else response["rows"]
    return sorted(({name: row[name] for name in COLUMNS} for row in rows), key=lambda row: sorted(row.items()))


def _ratings(request: Request) -> str:
    days = {"start_date": request.start, "end_date": request.end}
    given = {name: day.isoformat() for name, day in days.items() if day}
    return "/ratings?" + urlencode({**given, "offset": request.offset, "limit": request.limit})


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
