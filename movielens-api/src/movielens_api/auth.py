"""Who may ask: HTTP Basic (RFC 7617) with one user and password."""

import binascii
import hmac
from base64 import b64decode
from dataclasses import dataclass, field

from fastapi import HTTPException, Request
from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase

CHALLENGE = 'Basic realm="movielens-api", charset="UTF-8"'


@dataclass(frozen=True)
class Credentials:
    """The one user and password that a server accepts.

    Raises:
        ValueError: HTTP Basic cannot carry them: a user is not empty and has no colon.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise ValueError("a user name is not empty and has no colon")

    def match(self, user: bytes, password: bytes) -> bool:
        """Compare in a time that tells nothing about how much is right; always both parts."""
        same_user = hmac.compare_digest(user, self.user.encode(errors="surrogateescape"))
        same_password = hmac.compare_digest(password, self.password.encode(errors="surrogateescape"))
        return same_user & same_password


class BasicAuth(SecurityBase):
    """A FastAPI dependency that lets nobody pass but the holder of the credentials.

    FastAPI's own HTTPBasic decodes as ASCII, so a password such as "größe" could never log in.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.model = HTTPBase(scheme="basic", description="The user and password the server was started with.")
        self.scheme_name = "basic"

    async def __call__(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            HTTPException: 401, whether the header is missing, malformed or wrong.
        """
        sent = parse_basic(request.headers.get("authorization", ""))
        if sent is None or not self.credentials.match(*sent):
            detail = "Send the user and password of this server with HTTP Basic authentication."
            raise HTTPException(401, detail, headers={"WWW-Authenticate": CHALLENGE})


def parse_basic(header: str) -> tuple[bytes, bytes] | None:
    """Return user and password of an `Authorization` header, or None if it is not a well-formed one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
