"""A client for the servers that tests start, and a model of what they should return."""

from __future__ import annotations

import random
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

import requests

REPOSITORY = next(folder for folder in Path(__file__).parents if (folder / "movielens-api").is_dir())
README = REPOSITORY / "movielens-api" / "README.md"
DOCS = REPOSITORY / "docs" / "api"


@dataclass
class Api:
    """A client of one server."""

    url: str
    auth: tuple[str, str] | None = ("movielens", "movielens")
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, /, **params: object) -> requests.Response:
        texts = {name: str(value) for name, value in params.items()}
        return self.session.get(self.url + path, params=texts, auth=self.auth, timeout=10)

    def ask(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        """Send exactly these headers and the password: `if_none_match` is If-None-Match, and so on."""
        # None removes what requests would send by itself.
        sent = {"Accept": None, "Accept-Encoding": None} | {name.replace("_", "-"): v for name, v in headers.items()}
        named = {name.title() if name.islower() else name: value for name, value in sent.items()}
        return self.session.request(method, self.url + path, headers=named, auth=self.auth, timeout=30)

    def pages(self, path: str, **headers: str) -> Iterator[requests.Response]:
        """Follow the links from page to page."""
        response = self.ask(path, **headers)
        yield response
        while "next" in response.links:
            address = urljoin(response.url, response.links["next"]["url"])
            response = self.ask(address.removeprefix(self.url), **headers)
            yield response

    def post(self, rows: list[dict[str, Any]], **headers: str) -> requests.Response:
        """Post ratings; `idempotency_key` is Idempotency-Key, and so on."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return self.session.post(self.url + "/ratings", json=rows, headers=named, auth=self.auth, timeout=30)

    def json(self, path: str, /, **params: object) -> Any:
        response = self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()


def assert_problem(response: requests.Response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem) <= {*problem, "errors"}
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert all(isinstance(problem[name], str) and problem[name] for name in ("title", "detail", "instance"))
    assert ("errors" in problem) == (status == 422)
    return problem


@dataclass
class Model:
    """Ratings as a list of rows, searched by scanning all of them."""

    rows: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.dated = [(day(row), row) for row in self.rows]

    def window(self, start: str | None, end: str | None) -> list[dict[str, Any]]:
        return [row for day, row in self.dated if (not start or start <= day) and (not end or day < end)]


def day(row: dict[str, Any]) -> str:
    return datetime.fromtimestamp(row["timestamp"], UTC).date().isoformat()


Process = subprocess.Popen[str]
Launch = Callable[..., Process]
Serving = Callable[..., AbstractContextManager[Api]]


def url_of(process: Process) -> str:
    """Return the URL that the process prints when it listens."""
    assert process.stdout
    for line in process.stdout:
        if found := re.match(r"Listening on (https?://\S+)", line):
            return found[1]
    raise AssertionError(f"never listened: {process.communicate()[1]}")


def drained(process: Process) -> str:
    """Return the URL, and read further output in the background, because a full pipe would stop the server."""
    url = url_of(process)
    for pipe in (process.stdout, process.stderr):
        threading.Thread(target=drain, args=(pipe,), daemon=True).start()
    return url


def drain(pipe: IO[str]) -> None:
    for _ in pipe:
        pass


def children(process: Process) -> set[int]:
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


def is_alive(pid: int) -> bool:
    # A process whose parent has ended waits as a zombie until process 1 reaps it.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """Return the content with a random fault: a flipped bit, or bytes that are replaced, removed, added or cut off."""
    content, place = bytearray(whole), chance.randrange(max(len(whole), 1))
    kind = chance.randrange(5)
    if kind == 0 and content:
        content[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        content[place : place + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
    elif kind == 2:
        del content[place : place + chance.randrange(1, 50)]
    elif kind == 3:
        content[place:place] = chance.randbytes(chance.randrange(1, 50))
    else:
        del content[place:]
    return bytes(content)
