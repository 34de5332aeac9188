"""The assembly of a server process from its settings, for a single process as well as for each of several workers."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api import datasets, replay
from movielens_api.app import create_app
from movielens_api.auth import Credentials
from movielens_api.auth.users_file import UsersFile
from movielens_api.datasets.options import Options, report
from movielens_api.errors import StartupError
from movielens_api.middleware.allowed_hosts import names_to_allow
from movielens_api.middleware.rate_limit import Slots
from movielens_api.observability.access_log import AccessLog
from movielens_api.recommendations.champion import Champion
from movielens_api.server import tls
from movielens_api.store import Store
from movielens_api.system.directories import data_directory

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from movielens_api.table.catalogue import Catalogue


@dataclass(frozen=True)
class Settings:
    """The settings of ``movielens-api serve``, in JSON types.

    Attributes:
        dataset: See ``datasets.load``.
        access_log: See ``AccessLog``.
        user: The name of a user in addition to those in the users file, if any.
        password: The password of this user.
        data_dir: See ``datasets.options.Options``; None for the default.
        max_damaged: See ``datasets.options.Options``; None for the default.
        host: The address on which the server listens.
        allowed_hosts: The host names for which it is reached, in addition to those of this computer.
        rate_limit: See ``create_app``.
        replay_from: The day (YYYY-MM-DD) at which a replay starts; None without a replay.
        recommendations: The folder of the model registry whose champion recommends movies; None for none.
        tls_certificate: See ``tls.context``.
        tls_key: See ``tls.context``.
        tls_key_password_file: See ``tls.context``.
    """

    dataset: str
    access_log: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    data_dir: str | None = None
    max_damaged: float | None = None
    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    rate_limit: int | None = None
    replay_from: str | None = None
    recommendations: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_key_password_file: str | None = None

    def to_json(self) -> str:
        """Return the settings as one line of JSON, to send them to a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Settings:
        """Return the settings in a line written by ``to_json``."""
        return cls(**json.loads(line))

    @property
    def credentials(self) -> Credentials | None:
        """The user and password, or None if they are not set."""
        return Credentials(self.user, self.password) if self.user and self.password else None

    @property
    def durable(self) -> Path:
        """The folder for files that cannot be downloaded or computed again."""
        return Path(self.data_dir) if self.data_dir else data_directory()


def load(settings: Settings, report: Callable[[str], None] = report) -> Catalogue:
    """Load the dataset.

    Args:
        settings: The settings of the server.
        report: Called with each line about progress and damage.

    Raises:
        StartupError: The dataset cannot be loaded.
    """
    return datasets.load(settings.dataset, _options(settings, report))


def initial_catalogue(settings: Settings, catalogue: Catalogue) -> Catalogue:
    """Return the catalogue before anything is posted: the whole dataset, or the part before a replay.

    Raises:
        StartupError: The replay has no ratings.
    """
    day = settings.replay_from
    return replay.catalogue_before(catalogue, date.fromisoformat(day)) if day else catalogue


def open_store(settings: Settings, catalogue: Catalogue, *, own: bool) -> Store:
    """Open the store of posted ratings. Each dataset, and each start day of a replay, has its own.

    Args:
        settings: The settings of the server.
        catalogue: The result of ``initial_catalogue``.
        own: See ``Store``.

    Raises:
        StartupError: The store cannot be opened.
    """
    name = datasets.storage_name(settings.dataset)
    replayed = f"-replay-{settings.replay_from}" if settings.replay_from else ""
    return Store(settings.durable / "store" / f"{name}{replayed}", catalogue, own=own)


@contextmanager
def application(settings: Settings, catalogue: Catalogue, store: Store) -> Iterator[FastAPI]:
    """Build the application, and close the access log and the champion at the end.

    Args:
        settings: The settings of the server.
        catalogue: The result of ``initial_catalogue``.
        store: The store of posted ratings.

    Raises:
        StartupError: The access log cannot be written, or the users file cannot be read.
    """
    try:
        access_log = AccessLog(settings.access_log)
    except OSError as error:
        raise StartupError(f"cannot write {settings.access_log}: {error.strerror or error}") from error
    with closing(access_log), ExitStack() as stack:
        folder = settings.recommendations
        yield create_app(
            catalogue,
            settings.credentials,
            store=store,
            users_file=UsersFile(settings.durable),
            rate_limit=settings.rate_limit,
            # The same file in every worker, so that they share a limit.
            slots=Slots(_options(settings, report).data_dir / "rate-limits") if settings.rate_limit else None,
            access_log=access_log,
            allowed_hosts=names_to_allow(settings.host, settings.allowed_hosts),
            champion=stack.enter_context(closing(Champion(Path(folder)))) if folder else None,
        )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context for the certificate and key in the settings, or None without them.

    Raises:
        StartupError: A file cannot be used.
    """
    paths = (settings.tls_certificate, settings.tls_key, settings.tls_key_password_file)
    return tls.context(*(Path(path) if path else None for path in paths))


def _options(settings: Settings, report: Callable[[str], None]) -> Options:
    data_dir = settings.data_dir and Path(settings.data_dir)
    given = {"data_dir": data_dir, "max_damaged": settings.max_damaged}
    return Options(**{name: value for name, value in given.items() if value is not None}, report=report)  # type: ignore[arg-type]
