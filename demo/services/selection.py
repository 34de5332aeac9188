"""The services of a stack, by the names that `make up SERVICES=…` accepts, and what Airflow must know of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.ports import choose_port
from demo.services.postgres import Postgres
from demo.services.s3 import S3
from demo.services.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import ExitStack

    from demo.configuration import Credentials, Sections
    from demo.layout import Layout
    from demo.services.service import Service

NAMES = ("celery", "postgres", "s3")
BUCKET = "movielens"
POSTGRES_PORT, VALKEY_PORT, S3_PORT = 5432, 6379, 8333
WORKERS = 2
TASKS_OF_WORKER = 2


@dataclass(frozen=True)
class Services:
    """The services of a stack; none by default.

    Args:
        postgres: Airflow's database, and a database for the tasks.
        valkey: The broker; with it, tasks run on Celery's workers.
        s3: Object storage, which then holds the files of the Dags.
    """

    postgres: Postgres | None = None
    valkey: Valkey | None = None
    s3: S3 | None = None

    @classmethod
    def of(cls, names: Collection[str], layout: Layout, credentials: Credentials, claims: ExitStack) -> Services:
        """Choose services and their ports.

        Args:
            names: Some of `NAMES`; ``celery`` includes ``postgres``.
            layout: The folders of the stack.
            credentials: Their passwords.
            claims: Reserves the ports.

        Raises:
            DemoError: There is no such service.
        """
        if unknown := sorted(set(names).difference(NAMES)):
            raise DemoError(f"There is no service {', '.join(unknown)}: choose among {', '.join(NAMES)}.")
        folder = layout.local / "services"
        postgres = valkey = s3 = None
        if {"celery", "postgres"}.intersection(names):
            port = choose_port(POSTGRES_PORT, claims)
            postgres = Postgres(folder / "postgres", port, credentials.database_password)
        if "celery" in names:
            valkey = Valkey(folder / "valkey", choose_port(VALKEY_PORT, claims), credentials.broker_password)
        if "s3" in names:
            s3 = S3(folder / "s3", choose_port(S3_PORT, claims), credentials.s3_secret)
        return cls(postgres, valkey, s3)

    @property
    def running(self) -> list[Service]:
        """The services."""
        return [service for service in (self.postgres, self.valkey, self.s3) if service is not None]

    @property
    def database(self) -> str:
        """The kind of Airflow's database."""
        return "sqlite" if self.postgres is None else "postgresql"

    def data_root(self, layout: Layout) -> str:
        """Return the folder or URL of the files that the Dags write."""
        return str(layout.data) if self.s3 is None else f"s3://aws_default@{BUCKET}/data"

    def sections(self) -> Sections:
        """Return the settings of Airflow."""
        sections: Sections = {}
        if self.postgres is not None:
            sections["database"] = {
                "sql_alchemy_conn": self.postgres.url("airflow").replace("postgresql:", "postgresql+psycopg2:"),
                "sql_alchemy_pool_enabled": "True",
            }
        if self.valkey is not None and self.postgres is not None:
            sections["core"] = {"executor": "CeleryExecutor", "parallelism": WORKERS * TASKS_OF_WORKER}
            sections["celery"] = {
                "broker_url": self.valkey.url,
                "result_backend": f"db+{self.postgres.url('airflow')}",
                "worker_concurrency": TASKS_OF_WORKER,
            }
            # The first calls to an API server that has just started take long.
            sections["workers"] = {"execution_api_timeout": 60}
        return sections

    def variables(self) -> dict[str, str]:
        """Return the environment variables of tasks: connections to the services."""
        variables = {}
        if self.postgres is not None:
            variables["AIRFLOW_CONN_POSTGRES_DEFAULT"] = json.dumps(self.postgres.connection)
        if self.s3 is not None:
            variables["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(self.s3.connection)
        return variables
