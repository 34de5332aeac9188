"""Style sheets, scripts and the icon in ``static/``, served only to those who may see the page."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("static")

router = APIRouter()
_files = StaticFiles(directory=FOLDER)


@cache
def fingerprint(name: str) -> str:
    """Return what changes in a file's URL when its content changes, so that browsers may keep it."""
    return sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    """Return a file, or 404."""
    response = await _files.get_response(name, request.scope)
    is_fingerprinted = "v" in request.query_params
    response.headers["Cache-Control"] = f"private, {'max-age=31536000, immutable' if is_fingerprinted else 'no-cache'}"
    return response
