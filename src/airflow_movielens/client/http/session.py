"""One GET request: the session, and the answer's status as an error by type."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow_movielens.client.errors import BadAnswerError, Exchange, FatalError, RatingsChangedError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest, Response, Session
    from requests.auth import HTTPBasicAuth

    from airflow_movielens.client.settings import ClientSettings

_RETRYABLE_STATUS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CHANGED_STATUS = {HTTPStatus.CONFLICT, HTTPStatus.GONE}
_REFUSED_STATUS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_WORDS_SHOWN = 300


def build_session(settings: ClientSettings) -> Session:
    """Build a session that authenticates, and refuses to be sent to another host."""
    import requests

    class SameHostSession(requests.Session):
        def get_redirect_target(self, resp: Response) -> str | None:
            target = super().get_redirect_target(resp)
            here, there = urlsplit(resp.url), urlsplit(target or "")
            if there.netloc and (there.scheme or here.scheme, there.netloc) != (here.scheme, here.netloc):
                message = f"the API redirects to another host, {there.scheme}://{there.hostname}: set that as the host"
                raise FatalError(message, _exchange(resp))
            return target

    session = SameHostSession()
    session.headers["Accept"] = "application/json"
    if settings.token:
        session.auth = _bearer(settings.token)
    elif settings.user is not None:
        session.auth = _basic(settings.user, settings.password or "")
    return session


def _basic(user: str, password: str) -> HTTPBasicAuth:
    from requests.auth import HTTPBasicAuth

    # As bytes, because requests would encode text as Latin-1.
    return HTTPBasicAuth(cast("str", user.encode()), cast("str", password.encode()))


def _bearer(token: str) -> Callable[[PreparedRequest], PreparedRequest]:
    def authenticate(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authenticate


def get_json(session: Session, url: str, params: dict[str, Any], settings: ClientSettings) -> tuple[Any, Exchange]:
    """Send one GET request, once, and parse its JSON.

    Returns:
        The parsed body, and the exchange for error messages.

    Raises:
        RetryableError: Timeout, no connection, a cut body, 408, 429, 5xx.
        BadAnswerError: A success whose body is not JSON.
        RatingsChangedError: 409 or 410.
        FatalError: Any other status.
    """
    import requests

    try:
        response = session.get(url, params=params, timeout=(settings.connect_timeout, settings.read_timeout))
    except requests.TooManyRedirects as error:
        raise FatalError("the API redirects in a circle", Exchange("GET", url)) from error
    except ValueError as error:
        # Without the error's own words: they may quote a header with credentials.
        message = f"the request cannot be sent ({type(error).__name__}): check the API's address and the credentials"
        raise FatalError(message, Exchange("GET", url)) from None
    except (requests.RequestException, OSError) as error:
        raise RetryableError(_network_problem(error), Exchange("GET", url)) from error
    exchange = _exchange(response)
    _raise_for_status(response, exchange)
    try:
        return json.loads(response.content, parse_constant=_refuse_constant), exchange
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(f"the API's answer is not JSON ({error})", exchange) from error


def _raise_for_status(response: Response, exchange: Exchange) -> None:
    status = response.status_code
    if status in _CHANGED_STATUS:
        raise RatingsChangedError("the snapshot is gone", exchange)
    if status in _RETRYABLE_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RetryableError("the API is busy or broken", exchange, _retry_after(response))
    if status in _REFUSED_STATUS:
        raise FatalError("the API refuses the credentials: check user and password (or token)", exchange)
    if status == HTTPStatus.NOT_FOUND:
        raise FatalError("the API does not know this address: check host, port and path", exchange)
    if status != HTTPStatus.OK:
        raise FatalError("the API does not answer this request", exchange)


def _retry_after(response: Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time()
    except ValueError:
        return None


def _exchange(response: Response) -> Exchange:
    return Exchange(response.request.method or "GET", response.url, response.status_code, _server_words(response))


def _server_words(response: Response) -> str:
    """The ``detail`` of a problem document, else the start of the body of an unsuccessful answer."""
    if response.status_code == HTTPStatus.OK:
        return ""
    try:
        body = response.json()
        words = body.get("detail") or body.get("title") or body
    except (ValueError, AttributeError, RecursionError):
        words = response.text
    # A server may echo what it was sent.
    credentials = response.request.headers.get("Authorization", "").partition(" ")[2]
    said = str(words).replace(credentials, "***") if credentials else str(words)
    return " ".join(said.split())[:_WORDS_SHOWN]


def _network_problem(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to the API ({_root_cause(error)})"
    if isinstance(error, requests.Timeout):
        return "the API did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to the API: is it running, are host and port right? ({_root_cause(error)})"
    return f"the API's answer broke off ({_root_cause(error)})"


def _root_cause(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
