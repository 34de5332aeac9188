"""One server process, put together from settings: the same whether it is alone or one of several workers."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
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
from movielens_api.middleware.rate_limit import Slots
from movielens_api.observability.logs import AccessLog
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
    """What `movielens-api serve` was told, in values that JSON knows.

    Attributes:
        dataset: as in `datasets.load`.
        access_log: as in `AccessLog`.
        user: a user to let in beside those of the users' file, if any.
        password: the password.
        data_dir: as in `datasets.options.Options`; None for the default.
        max_damaged: as in `datasets.options.Options`; None for the default.
        rate_limit: as in `create_app`.
        replay_from: the day (YYYY-MM-DD) whose ratings and later ones arrive during a replay; None without one.
        tls_certificate: as in `tls.context`.
        tls_key: as in `tls.context`.
        tls_key_password_file: as in `tls.context`.
    """

    dataset: str
    access_log: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    data_dir: str | None = None
    max_damaged: float | None = None
    rate_limit: int | None = None
    replay_from: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_key_password_file: str | None = None

    def to_json(self) -> str:
        """Write the settings on one line, for a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Settings:
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))

    @property
    def credentials(self) -> Credentials | None:
        """The user and password, if there are any."""
        return Credentials(self.user, self.password) if self.user and self.password else None

    @property
    def durable(self) -> Path:
        """Where to keep what nobody can fetch or compute again."""
        return Path(self.data_dir) if self.data_dir else data_directory()


def load(settings: Settings, report: Callable[[str], None] = report) -> Catalogue:
    """Load the dataset.

    Args:
        settings: which, and how.
        report: takes each line about progress and damage.

    Raises:
        StartupError: as `datasets.load`.
    """
    return datasets.load(settings.dataset, _options(settings, report))


def initial_catalogue(settings: Settings, catalogue: Catalogue) -> Catalogue:
    """Return what of the dataset is there before anything is posted: all of it, but for a replay.

    Raises:
        StartupError: as `replay.catalogue_before`.
    """
    day = settings.replay_from
    return replay.catalogue_before(catalogue, date.fromisoformat(day)) if day else catalogue


def open_store(settings: Settings, catalogue: Catalogue, *, own: bool) -> Store:
    """Open where posted ratings are kept: one place for each dataset, and for each day that a replay begins.

    Args:
        settings: which dataset, and where.
        catalogue: what `initial_catalogue` returned.
        own: as in `Store`.

    Raises:
        StartupError: as `Store`.
    """
    name = datasets.storage_name(settings.dataset)
    replayed = f"-replay-{settings.replay_from}" if settings.replay_from else ""
    return Store(settings.durable / "store" / f"{name}{replayed}", catalogue, own=own)


@contextmanager
def application(settings: Settings, catalogue: Catalogue, store: Store) -> Iterator[FastAPI]:
    """Build the application; at the end, close the access log.

    Args:
        settings: who may use it, how often, and where that is written.
        catalogue: what `initial_catalogue` returned.
        store: where posted ratings are kept.

    Raises:
        StartupError: the access log cannot be written, or the users cannot be read.
    """
    try:
        access_log = AccessLog(settings.access_log)
    except OSError as error:
        raise StartupError(f"cannot write {settings.access_log}: {error.strerror or error}") from error
    with closing(access_log):
        yield create_app(
            catalogue,
            settings.credentials,
            store=store,
            users_file=UsersFile(settings.durable),
            rate_limit=settings.rate_limit,
            # The same file in every worker: they share a limit.
            slots=Slots(_options(settings, report).data_dir / "rate-limits") if settings.rate_limit else None,
            access_log=access_log,
        )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Read certificate and key, if there are any.

    Raises:
        StartupError: as `tls.context`.
    """
    paths = (settings.tls_certificate, settings.tls_key, settings.tls_key_password_file)
    return tls.context(*(Path(path) if path else None for path in paths))


def _options(settings: Settings, report: Callable[[str], None]) -> Options:
    data_dir = settings.data_dir and Path(settings.data_dir)
    given = {"data_dir": data_dir, "max_damaged": settings.max_damaged}
    return Options(**{name: value for name, value in given.items() if value is not None}, report=report)  # type: ignore[arg-type]
