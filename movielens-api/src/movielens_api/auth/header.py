"""What an `Authorization` header holds: HTTP Basic (RFC 7617) or a bearer token (RFC 6750)."""

import binascii
from base64 import b64decode

CHALLENGES = 'Basic realm="movielens-api", charset="UTF-8", Bearer realm="movielens-api"'


def parse_basic(header: bytes) -> tuple[bytes, bytes] | None:
    """Return user and password, or None if the header is no well-formed HTTP Basic.

    FastAPI's own HTTPBasic decodes as ASCII, so a password such as "größe" could never log in.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def parse_bearer(header: bytes) -> bytes | None:
    """Return the token, or None if the header has another scheme."""
    scheme, _, token = header.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None
