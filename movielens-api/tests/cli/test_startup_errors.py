"""Errors that keep the server from starting: one line on stderr and an exit status."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from movielens_api.auth import DEFAULT, Credentials
from movielens_api.auth.credentials import choose_credentials, is_loopback
from movielens_api.cli import main

Refused = Callable[..., str]
SECONDS_TO_FAIL = 120
OWN = ["--user", "me", "--password", "mine"]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Refused]:
    """Run `movielens-api serve`, which must fail, and return its error message."""
    monkeypatch.delenv("API_USER", raising=False)
    monkeypatch.delenv("API_PASSWORD", raising=False)

    def run(*options: str, status: int = 2) -> str:
        port = [] if "--port" in options else ["--port", "0"]
        # A server that starts by mistake would never end: the alarm ends the tests.
        signal.alarm(SECONDS_TO_FAIL)
        assert main(["serve", *port, *options]) == status
        signal.alarm(0)
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("movielens-api: ")
        assert said.err.count("\n") == 1
        return said.err

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("environ", [{"API_USER": "me"}, {"API_PASSWORD": "x"}, {"API_USER": "me", "API_PASSWORD": ""}])
def test_half_of_the_credentials(refused: Refused, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert "API_USER and API_PASSWORD" in refused()


def test_a_user_with_a_colon(refused: Refused) -> None:
    assert "colon" in refused("--user", "a:b", "--password", "c")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", " ", "192.0.2.1", "example.org"])
@pytest.mark.parametrize("options", [[], ["--user", "me", "--password", "movielens"]])
def test_the_default_password_works_on_loopback_only(refused: Refused, host: str, options: list[str]) -> None:
    assert "default password" in refused("--host", host, *options)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_this_computer(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("given", "host", "has_users", "chosen"),
    [
        (None, "127.0.0.1", False, DEFAULT),
        (None, "127.0.0.1", True, DEFAULT),  # out while there are users, back without
        (None, "0.0.0.0", True, None),
        (Credentials("me", "mine"), "0.0.0.0", False, Credentials("me", "mine")),
        (Credentials("me", "mine"), "0.0.0.0", True, Credentials("me", "mine")),
    ],
)
def test_own_credentials_work_beside_users(
    given: Credentials | None, host: str, *, has_users: bool, chosen: Credentials | None
) -> None:
    assert choose_credentials(given, host, has_users=has_users) == chosen


def test_the_port_is_taken(refused: Refused, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = refused("--dataset", str(folder), "--port", port)
    assert port in message
    assert "in use" in message


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid"])
def test_a_host_that_is_not_ours(refused: Refused, folder: Path, host: str) -> None:
    assert f"cannot listen on {host}" in refused("--dataset", str(folder), "--host", host, *OWN)


def test_a_folder_without_ratings(refused: Refused, tmp_path: Path) -> None:
    assert "has no ratings.csv" in refused("--dataset", str(tmp_path))


def test_damaged_data_has_a_status_of_its_own(refused: Refused, folder: Path) -> None:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,7,9.5,1\n")
    message = refused("--dataset", str(folder), status=1)
    assert "line 2: expected rating to be 0.5 to 5.0" in message


@pytest.mark.parametrize("host", ["\udcff", "a\0b"])
def test_an_impossible_host_is_refused(refused: Refused, folder: Path, host: str) -> None:
    message = refused("--dataset", str(folder), f"--host={host}", *OWN)
    assert "host" in message or "not an address" in message


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "1_0", "+5", " 5", "٣"])
def test_an_invalid_port_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["serve", f"--port={port}"])
    assert stopped.value.code == 2
    assert "argument --port" in capsys.readouterr().err
