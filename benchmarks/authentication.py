"""The cost of authentication and rate limit for a request, in microseconds of processor time.

Run it: `python benchmarks/authentication.py`.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from movielens_api.auth.logins import Logins
from movielens_api.auth.passwords import Cost, hash_password
from movielens_api.auth.tokens import generate
from movielens_api.auth.users_file import UsersFile
from movielens_api.middleware.authentication import AuthenticationMiddleware
from movielens_api.middleware.rate_limit import RateLimitMiddleware, Slots

REQUESTS, ROUNDS = 20_000, 7
PASSWORD, TOKEN = "invented password", generate()
MANY = 1_000_000


async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
    """Respond in place of the routes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def microseconds(app: ASGIApp, authorization: bytes) -> float:
    """Return the time of a request in the fastest round."""
    headers = [(name, b"a value") for name in (b"host", b"user-agent", b"accept", b"accept-encoding")]
    headers.append((b"authorization", authorization))
    request = {"type": "http", "path": "/ratings", "root_path": "", "client": ("127.0.0.1", 1), "headers": headers}
    return min([await _round(app, request) for _ in range(ROUNDS)]) / REQUESTS * 1e6


async def _round(app: ASGIApp, request: dict[str, Any]) -> float:
    scopes = [dict(request) for _ in range(REQUESTS)]
    begin = time.process_time()
    for scope in scopes:
        await app(scope, _receive, _send)
    return time.process_time() - begin


async def _receive() -> Any:
    return {}


async def _send(_message: Any) -> None:
    pass


async def main(folder: Path) -> None:
    """Measure and print."""
    file = UsersFile(folder)
    stored = hash_password(PASSWORD, Cost(ln=4, p=1))
    file.edit(lambda users: users.add("ann", "read", stored).add_token("ann", "t", "read", TOKEN, None))
    basic = b"Basic " + b64encode(f"ann:{PASSWORD}".encode())
    logins, limit = Logins(None, file), RateLimitMiddleware(nothing, MANY, Slots(folder / "slots"))
    least = await microseconds(nothing, basic)
    rows = {
        "a known password": (AuthenticationMiddleware(nothing, logins), basic),
        "a token": (AuthenticationMiddleware(nothing, logins), f"Bearer {TOKEN}".encode()),
        "a known password, and the rate limit": (AuthenticationMiddleware(limit, logins), basic),
    }
    for what, (app, authorization) in rows.items():
        print(f"{await microseconds(app, authorization) - least:6.1f} us  {what}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(Path(temporary)))
