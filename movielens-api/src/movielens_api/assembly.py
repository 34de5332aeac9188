"""One server process, put together from settings: the same whether it is alone or one of several workers."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fastapi import FastAPI

from movielens_api import datasets
from movielens_api.app import create_app
from movielens_api.auth import Credentials
from movielens_api.catalogue import Catalogue
from movielens_api.datasets.options import Options, tell
from movielens_api.errors import StartupError
from movielens_api.observation.access_log import AccessLog
from movielens_api.server import tls


@dataclass(frozen=True)
class Settings:
    """What `movielens-api serve` was told, in values that JSON knows.

    Attributes:
        dataset: as in `datasets.load`.
        user: the user to let in.
        password: the password.
        access_log: as in `AccessLog`.
        data_dir: as in `datasets.options.Options`; None for the default.
        max_damaged: as in `datasets.options.Options`; None for the default.
        tls_certificate: as in `tls.context`.
        tls_key: as in `tls.context`.
        tls_key_password_file: as in `tls.context`.
    """

    dataset: str
    user: str
    password: str = field(repr=False)
    access_log: str
    data_dir: str | None = None
    max_damaged: float | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_key_password_file: str | None = None

    def to_json(self) -> str:
        """Write the settings on one line, for a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Settings":
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


def load(settings: Settings, tell: Callable[[str], None] = tell) -> Catalogue:
    """Load the dataset.

    Args:
        settings: which, and how.
        tell: takes each line about progress and damage.

    Raises:
        StartupError: as `datasets.load`.
    """
    data_dir = settings.data_dir and Path(settings.data_dir)
    given = {"data_dir": data_dir, "max_damaged": settings.max_damaged}
    options = Options(**{name: value for name, value in given.items() if value is not None}, tell=tell)  # type: ignore[arg-type]
    return datasets.load(settings.dataset, options)


@contextmanager
def application(settings: Settings, catalogue: Catalogue) -> Iterator[FastAPI]:
    """Build the application on a dataset; at the end, close what it writes to.

    Raises:
        StartupError: the access log cannot be written.
    """
    try:
        access_log = AccessLog(settings.access_log)
    except OSError as error:
        raise StartupError(f"cannot write {settings.access_log}: {error.strerror or error}") from error
    with closing(access_log):
        yield create_app(catalogue, Credentials(settings.user, settings.password), access_log=access_log)


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Read certificate and key, if there are any.

    Raises:
        StartupError: as `tls.context`.
    """
    paths = (settings.tls_certificate, settings.tls_key, settings.tls_key_password_file)
    return tls.context(*(Path(path) if path else None for path in paths))
