"""The body of a post: of a media type that is taken, as it is, and no larger than documented."""

from fastapi import HTTPException, Request

from movielens_api.posted_rows import MEDIA_TYPES, MOST_ROWS

MOST_BYTES = 2 << 20
ACCEPT_POST = {"Accept-Post": ", ".join(MEDIA_TYPES)}
TOO_LARGE = f"A post has up to {MOST_ROWS:,} ratings and {MOST_BYTES:,} bytes. Send them in several."


def media_type(request: Request) -> str:
    """Return what the body is said to be, one of `MEDIA_TYPES`.

    Raises:
        HTTPException: 415, it is something else, or compressed.
    """
    coding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding != "identity":
        raise HTTPException(415, f"Send ratings as they are, not as {coding}.", headers={"Accept-Encoding": "identity"})
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if name not in MEDIA_TYPES or any(each.replace('"', "") not in {"", "charset=utf-8"} for each in parameters):
        raise HTTPException(415, f"Send ratings as {' or '.join(MEDIA_TYPES)}, in UTF-8.", headers=ACCEPT_POST)
    return name


async def read(request: Request) -> bytes:
    """Return the body.

    Raises:
        HTTPException: 413, it is larger than documented, as far as it was read.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise too_large()
    return bytes(body)


def too_large() -> HTTPException:
    """Return what to raise for more bytes or rows than documented."""
    return HTTPException(413, TOO_LARGE)
