"""The whole server: two processes with users of both roles, tokens, posts, limits and a trained model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from api_testing import Api, Launch, Process, drain, url_of
from auth_testing import ANN, BEN, add_token, ann_and_ben, basic

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.registry import ModelRegistry
from movielens_api.auth.users_file import UsersFile
from movielens_api.datasets import synthetic

ROWS = 2_000


@dataclass(frozen=True)
class Login:
    """A way to log in.

    Attributes:
        header: The value of ``Authorization``.
        user: The name of the user.
        may_write: Whether ratings may be posted with it.
    """

    header: str
    user: str
    may_write: bool


@dataclass(frozen=True)
class Logged:
    """A request in the access log."""

    user: str | None
    method: str
    path: str
    status: int


@dataclass(frozen=True)
class WholeServer:
    """A running server.

    Attributes:
        url: Its address.
        logins: Users with passwords and tokens.
        access_log: The file of the access log.
        errors: What it has written to standard error.
    """

    process: Process
    url: str
    logins: list[Login]
    access_log: Path
    errors: list[str]

    @property
    def writer(self) -> Api:
        """A client that may post."""
        return Api(self.url, ANN)

    def requests(self) -> Iterator[Logged]:
        """Yield the requests that were answered until now."""
        for line in self.access_log.read_text().splitlines():
            entry = json.loads(line)
            if "status" in entry:
                yield Logged(entry["user"], entry["method"], entry["path"], entry["status"])

    def assert_no_failures(self) -> None:
        """Assert that no request has failed in the server."""
        assert not [line for line in self.errors if "Traceback" in line or "failed" in line], "".join(self.errors)
        # 501 is the response to an unknown transfer coding.
        assert [each for each in self.requests() if each.status >= 500 and each.status != 501] == []
        assert self.process.poll() is None


def start(launch: Launch, folder: Path, *, rate_limit: int) -> WholeServer:
    """Start the server.

    Args:
        launch: Starts the command.
        folder: An empty folder for all its files.
        rate_limit: How many requests each user may send in a second.
    """
    file = ann_and_ben(folder)
    logins = [
        Login(f"Bearer {add_token(file, 'ann', 'writing', role='write')}", "ann", may_write=True),
        Login(basic(":".join(ANN)), "ann", may_write=True),
        Login(f"Bearer {add_token(file, 'ann', 'reading', role='read')}", "ann", may_write=False),
        Login(f"Bearer {add_token(UsersFile(folder), 'ben', role='read')}", "ben", may_write=False),
        Login(basic(":".join(BEN)), "ben", may_write=False),
    ]
    log = folder / "access.log"
    registry = trained(folder / "registry")
    process = launch(
        *("serve", "--port", "0", "--workers", "2", "--dataset", f"synthetic:{ROWS}", "--data-dir", str(folder)),
        *("--recommendations", str(registry), "--rate-limit", str(rate_limit), "--access-log", str(log)),
    )
    url, errors = url_of(process), list[str]()
    assert process.stdout
    assert process.stderr
    threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True).start()
    return WholeServer(process, url, logins, log, errors)


def trained(folder: Path) -> Path:
    """Return the folder of a new registry, whose champion is trained on the dataset of the server."""
    model = train(synthetic.load(ROWS).ratings.window(), ModelParameters(min_likes=3))
    registry = ModelRegistry(folder)
    registry.promote(
        registry.register(model, by="a test", reason="it is new"), by="a test", reason="it is the only one"
    )
    return folder
