"""Users, headers and servers for the tests of authentication."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from movielens_api.auth.passwords import Cost, hash_password, verify
from movielens_api.auth.tokens import generate
from movielens_api.auth.users_file import UsersFile

CHEAP = Cost(ln=4, r=8, p=1)
ANN = ("ann", "correct horse")
BEN = ("ben", "battery staple")


def basic(text: str | bytes) -> str:
    return "Basic " + b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def add(file: UsersFile, name: str, password: str, role: Any = "read") -> None:
    file.edit(lambda users: users.add(name, role, hash_password(password, CHEAP)))


def add_token(file: UsersFile, user: str, name: str = "t", role: Any = "read", expires: Any = None) -> str:
    secret = generate()
    file.edit(lambda users: users.add_token(user, name, role, secret, expires))
    return secret


def ann_and_ben(folder: Path) -> UsersFile:
    """Return a users file with ann, who may write, and ben, who may read."""
    file = UsersFile(folder)
    add(file, *ANN, role="write")
    add(file, *BEN, role="read")
    return file


@dataclass
class Counted:
    """The real verification of passwords, which counts its calls."""

    calls: list[str] = field(default_factory=list)

    def __call__(self, password: bytes, stored: str) -> bool:
        self.calls.append(stored)
        return verify(password, stored)


async def whoami(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """Respond with the user in the scope, as an ASGI application."""
    user = scope.get("user")
    body = f"{user.name} {sorted(user.roles)}".encode() if user else b"nobody"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def ask(url: str, auth: Any = None, path: str = "/users", **headers: str) -> requests.Response:
    return requests.get(url + path, auth=auth, headers=headers, timeout=30)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
