"""The server under test: `movielens-api serve`, started again after it was killed or stopped."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import polars as pl
from unit.raw_server import Authority

from benchmarks.failure import BenchmarkError
from benchmarks.memory import of_family
from benchmarks.processes import PROC, family
from benchmarks.servers import SECONDS_TO_STOP, Server
from demo.processes import SessionRecord
from movielens_api.auth.passwords import hash_password
from movielens_api.auth.tokens import generate
from movielens_api.auth.users_file import UsersFile
from movielens_api.table.snapshots import Origin
from tests.campaign.plan import SCHEMA, Account, Plan

SECONDS_TO_START = 120
OK = 200


@dataclass(frozen=True)
class Resources:
    """What the processes of a server use.

    Attributes:
        processes: The number of processes.
        megabytes: Memory that is not file content, of all together.
        files: Open files of the process with the most.
        threads: Threads of the process with the most.
    """

    processes: int
    megabytes: float
    files: int
    threads: int


class Running(Server):
    """A running server, which may use TLS."""

    trust: ssl.SSLContext | None = None

    @contextmanager
    def connection(self) -> Iterator[HTTPConnection]:
        """Yield a connection to the server."""
        connection = connect(self.port, self.trust)
        try:
            yield connection
        finally:
            connection.close()

    @property
    def has_ended(self) -> bool:
        """Whether the first process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the first process, which ends the workers."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> bool:
        """Stop the server with SIGTERM, and return whether it ended in time."""
        began = time.monotonic()
        self.stop()
        return time.monotonic() - began < SECONDS_TO_STOP


def connect(port: int, trust: ssl.SSLContext | None, timeout: float = 20.0) -> HTTPConnection:
    """Return a connection to a port of this machine, over TLS if there is something to trust."""
    # A certificate is for this name.
    if trust:
        return HTTPSConnection("localhost", port, timeout=timeout, context=trust)
    return HTTPConnection("localhost", port, timeout=timeout)


class Api:
    """The server of a campaign.

    Args:
        plan: The campaign.
        folder: The folder of the campaign.
        port: The port to listen on.
        sessions: Where the sessions of processes are recorded.

    Attributes:
        tokens: The tokens of users, by name.
        problems: What was wrong with starts and stops.
    """

    def __init__(self, plan: Plan, folder: Path, port: int, sessions: SessionRecord) -> None:
        self.port = port
        self.problems: list[str] = []
        self._plan, self._folder, self._sessions = plan, folder, sessions
        self._data = folder / "server"
        self._lock = threading.RLock()
        self._running: Running | None = None
        self._certificate = self._trust_file = None
        if plan.has_tls:
            (folder / "tls").mkdir(exist_ok=True)
            authority = Authority(folder / "tls")
            self._certificate, self._trust_file = authority.issue(), authority.certificate
        self.tokens = self._users()
        self.trust = ssl.create_default_context(cafile=self._trust_file) if self._trust_file else None

    def _users(self) -> dict[str, str]:
        """Add the users, once, and return their tokens."""
        kept = self._folder / "tokens.json"
        if not kept.exists():
            file, tokens = UsersFile(self._data), {}
            self._data.mkdir(mode=0o700, exist_ok=True)
            for account in self._plan.accounts:
                _add(file, account)
                if account.has_token:
                    tokens[account.name] = _added_token(file, account)
            kept.write_text(json.dumps(tokens))
        found: dict[str, str] = json.loads(kept.read_text())
        return found

    @property
    def scheme(self) -> str:
        """``https`` or ``http``."""
        return "https" if self.trust else "http"

    @property
    def client_options(self) -> list[str]:
        """Options of `movielens fetch`."""
        return ["--ca-file", str(self._trust_file)] if self._trust_file else []

    def start(self) -> None:
        """Start the server and wait until it is ready; if the workers of the last one still end, try again.

        Raises:
            BenchmarkError: It does not start.
        """
        with self._lock:
            deadline = time.monotonic() + SECONDS_TO_START
            while True:
                self._running = self._started()
                try:
                    self._running.wait_until_ready("/readyz")
                except BenchmarkError as error:
                    if "serves this dataset already" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
                else:
                    return

    def _started(self) -> Running:
        logs = self._folder / "logs"
        log = logs / f"server-{len(list(logs.glob('server-*.log'))):03}.log"
        certificate = ["--tls-certificate", str(self._certificate), "--tls-key", str(self._certificate)]
        options = [*self._plan.server_options, *(certificate if self._certificate else [])]
        serve = [sys.executable, "-m", "movielens_api", "serve", "--dataset", str(self._folder / "dataset")]
        places = ["--data-dir", str(self._data), "--port", str(self.port), "--access-log", str(logs / "access.log")]
        owner = self._plan.owner
        environ = {"API_USER": owner.name, "API_PASSWORD": owner.password, "TMPDIR": str(self._folder / "tmp")}
        running = Running("movielens-api", self.port, [*serve, *places, *options], log, environ, folder=self._folder)
        running.trust = self.trust
        self._sessions.add(running.process)
        return running

    def kill(self) -> None:
        """Kill the server's first process."""
        with self._lock:
            self._now().kill()

    def kill_all(self) -> None:
        """Kill all processes of the server, if it runs."""
        if self._running and not self._running.has_ended:
            for process in family(self.process):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server with SIGTERM."""
        with self._lock:
            if self._running and not self._running.has_ended:
                processes = family(self.process)
                if not self._running.terminate():
                    self.problems.append("the server did not end after SIGTERM")
                if left := [process for process in processes if (PROC / str(process)).exists()]:
                    self.problems.append(f"{len(left)} processes were left when the server had ended")

    def restart(self) -> None:
        """Stop the server and start it again."""
        with self._lock:
            self.stop()
            self.start()

    def signal_worker(self, index: int, number: signal.Signals) -> int | None:
        """Send a signal to one of the workers, and return its id; None if there is none."""
        workers = family(self._now().process)[1:]
        if not workers:
            return None
        worker = workers[index % len(workers)]
        # The leader of its own session, which must not stay if the campaign is killed meanwhile.
        self._sessions.add(worker)
        with suppress(ProcessLookupError):
            os.kill(worker, number)
        return worker

    @property
    def process(self) -> int:
        """The id of the first process."""
        return self._now().process

    def _now(self) -> Running:
        if self._running is None:
            raise RuntimeError("the server was never started")
        return self._running

    def resources(self) -> Resources:
        """Return what the server uses now."""
        processes = family(self.process)
        files = [len(list((PROC / str(process) / "fd").iterdir())) for process in processes]
        threads = [len(list((PROC / str(process) / "task").iterdir())) for process in processes]
        return Resources(len(processes), round(of_family(self.process).anonymous), max(files), max(threads))

    def ratings(self) -> pl.DataFrame:
        """Return all ratings that the server has, also those that it should not have.

        Raises:
            BenchmarkError: It does not send them.
        """
        authorization = self._plan.owner.authorization(None)
        for _ in range(5):
            with self._now().connection() as connection, suppress(OSError, HTTPException):
                headers = {"Authorization": authorization, "Accept": "application/x-ndjson"}
                connection.request("GET", "/ratings", headers=headers)
                response = connection.getresponse()
                content = response.read()
                if response.status == OK:
                    return pl.read_ndjson(content, schema=SCHEMA)
            time.sleep(1)
        raise BenchmarkError("the server does not send its ratings")

    def names(self, versions: int) -> dict[str, int]:
        """Return the names of the snapshots from the dataset's to a number of posted ratings, with that number."""
        [database] = self._data.glob("store/*/ratings.db")
        connection = sqlite3.connect(database)
        digest, lineage = connection.execute("SELECT digest, lineage FROM origin").fetchone()
        connection.close()
        origin = Origin(digest, lineage, key=sha256().digest())
        return {origin.identify(version).hex(): version for version in range(versions + 1)}


def _add(file: UsersFile, account: Account) -> None:
    stored = hash_password(account.password)
    file.edit(lambda users: users.add(account.name, account.role, stored))


def _added_token(file: UsersFile, account: Account) -> str:
    secret = generate()
    file.edit(lambda users: users.add_token(account.name, "campaign", account.role, secret, None))
    return secret
