"""Profiles that refuse requests or redirect them."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.datastructures import URL
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from movielens_api.auth.credentials import CHALLENGES
from movielens_api.hostile.profile import EveryOther, Profile, Pulls, Turns, header, is_first_page, query
from movielens_api.http import problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SECONDS = 1
# A date has no fractions of a second, so this is one at least.
_SECONDS_TO_DATE = 2
_BURST = 2
_ELSEWHERE = "/elsewhere/ratings"
log = logging.getLogger(__name__)


class Refusals(Profile):
    """A layer that responds to some requests itself."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        await (self.refusal(scope) or self.app)(scope, receive, send)

    @abstractmethod
    def refusal(self, scope: Scope) -> Response | None:
        """Return the response if the request is refused, or None."""


class TooManyRequests(EveryOther):
    """The first of every two requests for a page returns 429, without Retry-After."""

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse."""
        refusal = problems.respond(scope["path"], 429, "Too many requests.", headers=self.retry_after())
        await refusal(scope, receive, send)

    def retry_after(self) -> dict[str, str]:
        """Return the Retry-After header, if any."""
        return {}


class TooManyRequestsSeconds(TooManyRequests):
    """The first of every two requests for a page returns 429, with Retry-After in seconds: 1."""

    def retry_after(self) -> dict[str, str]:
        """Return it in seconds."""
        return {"Retry-After": str(_SECONDS)}


class TooManyRequestsDate(TooManyRequests):
    """The first of every two requests for a page returns 429, with Retry-After as a date, 1 to 2 seconds from now."""

    def retry_after(self) -> dict[str, str]:
        """Return it as a date."""
        return {"Retry-After": formatdate(time.time() + _SECONDS_TO_DATE, usegmt=True)}


class ServerErrors(Refusals):
    """The first two of every three requests for a page return 500."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._turns = Turns(_BURST + 1)

    def refusal(self, scope: Scope) -> Response | None:
        """Fail twice."""
        return problems.respond(scope["path"], 500, "Failed on purpose.") if self._turns.take(scope) < _BURST else None


class Revoked(Refusals):
    """After the first page, user, password and token are rejected with 401."""

    def refusal(self, scope: Scope) -> Response | None:
        """Refuse all credentials after the first page."""
        if is_first_page(scope):
            return None
        return problems.respond(scope["path"], 401, "Who are you?", headers={"WWW-Authenticate": CHALLENGES})


class TokensOnly(Refusals):
    """Requests without a bearer token return 403."""

    def refusal(self, scope: Scope) -> Response | None:
        """Refuse passwords."""
        if header(scope, "authorization").lower().startswith("bearer "):
            return None
        return problems.respond(scope["path"], 403, "Come with a token.")


class SnapshotGone(Refusals):
    """In every other pull, the first cursor after the first page returns 410."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._pulls = Pulls()

    def refusal(self, scope: Scope) -> Response | None:
        """Say that the snapshot is gone."""
        if self._pulls.take(scope) != 1 or "cursor" not in query(scope):
            return None
        return problems.respond(scope["path"], 410, "The snapshot of this cursor is gone.")


class OtherHost(Profile):
    """Requests are redirected to another name of this computer, where Credentials-Received says yes or no."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the other host."""
        if scope["type"] != "http" or scope["path"] != _ELSEWHERE:
            await super().__call__(scope, receive, send)
            return
        has_credentials = bool(header(scope, "authorization"))
        if has_credentials:
            log.warning("the client sent its credentials to another host")
        page = {"result": [], "offset": 0, "limit": 100, "total": 0}
        received = "yes" if has_credentials else "no"
        await JSONResponse(page, headers={"Credentials-Received": received})(scope, receive, send)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect."""
        asked = URL(scope=scope)
        other = "127.0.0.1" if asked.hostname == "localhost" else "localhost"
        await RedirectResponse(asked.replace(hostname=other, path=_ELSEWHERE), 302)(scope, receive, send)


class Loop(Profile):
    """Every request is redirected to itself."""

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect."""
        await RedirectResponse(URL(scope=scope), 302)(scope, receive, send)
