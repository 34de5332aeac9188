"""Sends a GET request over the session's connections, and follows redirects within the host.

It calls urllib3 with what requests prepared once: requests itself prepares, and looks into the environment, anew with
every request, which takes longer than a small page does.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from airflow_movielens.client.errors import Exchange, FatalError, MovielensError
from airflow_movielens.client.http.error_mapping import error_of_status, mapped_errors
from airflow_movielens.client.http.origins import MAX_REDIRECTS, redirect_target, same_origin
from airflow_movielens.client.http.rate_limit import RateLimit
from airflow_movielens.client.http.responses import Response, read_body, read_pieces, read_words, shortened
from airflow_movielens.client.http.secrets import Secrets
from airflow_movielens.client.http.session import build_session
from airflow_movielens.client.http.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest, Session
    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from airflow_movielens.client.http.rate_limit import Clock
    from airflow_movielens.client.http.responses import StreamedResponse
    from airflow_movielens.client.http.timeouts import InFlight
    from airflow_movielens.client.settings import ClientSettings


class Sender:
    """Sends GET requests to one API. Safe to use from several threads.

    Attributes:
        session: Whose connections, credentials, TLS and proxy are used.
        secrets: The credentials, to keep them out of messages.
        has_credentials: Whether requests carry any for the API.

    Args:
        settings: How the API is reached.

    Raises:
        FatalError: A setting, or the proxy in the environment, is unusable.
    """

    def __init__(self, settings: ClientSettings) -> None:
        from requests.utils import select_proxy
        from urllib3 import Timeout

        self.session: Session = build_session(settings)
        self._base_url = settings.base_url
        self._timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        prepared, adapter, self._pool = _prepare(self.session, settings.base_url)
        self.secrets = Secrets(settings, select_proxy(settings.base_url, self.session.proxies))
        self._headers = {name: str(value) for name, value in prepared.headers.items()}
        self.has_credentials = "Authorization" in self._headers
        self._asks_proxy = adapter.request_url(prepared, dict(self.session.proxies)).startswith("http")

    def send(self, url: str, accept: str, request: InFlight) -> tuple[BaseHTTPResponse, Exchange, str]:
        """Send one request, once.

        Args:
            url: The whole URL, on the API's host.
            accept: The media types wanted.
            request: Can cut it.

        Returns:
            The answer, whatever its status, its body still to be read; the exchange; and the URL that answered.

        Raises:
            RetryableError: No answer came.
            FatalError: The URL, or a redirect, leads elsewhere; or trying again cannot help.
            AbortedError: The request was cut.
        """
        for _ in range(MAX_REDIRECTS + 1):
            exchange = Exchange("GET", self.secrets.hide(url))
            with mapped_errors(exchange, request):
                response = self._open(url, accept, request)
            target = redirect_target(url, response.status, response.headers)
            if target is None:
                return response, Exchange("GET", exchange.url, response.status), url
            response.drain_conn()
            url = target
        raise FatalError(
            "the API redirects in a circle; behind a proxy, it may not know that it is reached by https "
            "(X-Forwarded-Proto)",
            exchange,
        )

    def close(self) -> None:
        """Close the connections; those of requests under way when they end."""
        self.session.close()
        self._pool.close()

    def _open(self, url: str, accept: str, request: InFlight) -> BaseHTTPResponse:
        if not same_origin(url, self._base_url):
            raise FatalError(f"the request is not for the API's own host, {self._base_url}: it was not sent")
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        with request.sending():
            return self._pool.urlopen(
                "GET",
                url if self._asks_proxy else path,
                headers={**self._headers, "Accept": accept},
                timeout=self._timeout,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )


def _prepare(session: Session, base_url: str) -> tuple[PreparedRequest, HTTPAdapter, HTTPConnectionPool]:
    import requests
    from requests.adapters import HTTPAdapter

    adapter = session.get_adapter(base_url)
    assert isinstance(adapter, HTTPAdapter)  # noqa: S101 -- it is the session's own
    try:
        prepared = session.prepare_request(requests.Request("GET", base_url))
        pool = adapter.get_connection_with_tls_context(prepared, verify=True, proxies=session.proxies)
    except ValueError as error:
        # Without the error's own words: they may quote a proxy's URL with credentials.
        message = f"the API's address or the proxy in the environment is unusable ({type(error).__name__})"
        raise FatalError(message) from None
    return prepared, adapter, cast("HTTPConnectionPool", pool)


class Transport:
    """Sends GET requests to one API. Safe to use from several threads.

    Each request is sent once; see `with_retries`. All wait for their turn first; see `rate_limit`.

    Attributes:
        session: Whose connections, credentials, TLS and proxy are used.
        rate_limit: When requests may begin.

    Args:
        settings: How the API is reached.
        clock: The source of time for waits; None for the system's.
        sender: Connections to share; None for new ones.
        rate_limit: The rate limit to share; None for a new one.

    Raises:
        FatalError: A file for TLS, or the proxy in the environment, is unusable.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        clock: Clock | None = None,
        sender: Sender | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._settings = settings
        self._sender = sender or Sender(settings)
        self._timeouts = Timeouts(settings.total_timeout)
        self._branches: weakref.WeakSet[Transport] = weakref.WeakSet()
        self.session: Session = self._sender.session
        self.rate_limit = rate_limit or RateLimit(settings.requests_per_second, clock=clock)

    def branch(self) -> Transport:
        """Return a transport with the same connections and rate limit that can be aborted on its own.

        Aborting or closing this one aborts the branch, too.
        """
        branch = Transport(self._settings, sender=self._sender, rate_limit=self.rate_limit.branch())
        self._branches.add(branch)
        return branch

    def get(self, url: str, accept: str) -> Response:
        """Send one request, and read its answer whole.

        Args:
            url: The whole URL, on the API's host.
            accept: The media types wanted, as in the header ``Accept``.

        Raises:
            RetryableError: Timeout, no connection, a cut body, 408, 429, 5xx.
            BadResponseError: A success whose body is too large or cannot be decompressed.
            RatingsChangedError: 409 or 410.
            FatalError: Any other status, a redirect elsewhere, a certificate that cannot be trusted.
            AbortedError: See `abort`.
        """
        with self._respond(url, accept) as response:
            return response.whole()

    @contextmanager
    def stream(self, url: str, accept: str) -> Iterator[StreamedResponse]:
        """Send one request, and give its answer to be read as it arrives; arguments and errors as for `get`.

        The answer may be of any size. The total timeout is for its headers, and then for each piece of it anew; the
        time that its reader takes between them does not count.
        """
        with self._respond(url, accept) as response:
            response.request.stop_clock()
            yield response

    @contextmanager
    def hiding_secrets(self) -> Iterator[None]:
        """Take the credentials out of the message of an error: a server may repeat them in what it answers."""
        try:
            yield
        except MovielensError as error:
            error.args = tuple(self._sender.secrets.hide(str(part)) for part in error.args)
            raise

    def abort(self) -> None:
        """Cut every request under way and end every wait, now; they and all later calls raise `AbortedError`.

        From any thread. Only looking up a host name cannot be cut.
        """
        self.rate_limit.abort()
        self._timeouts.abort()
        for branch in list(self._branches):
            branch.abort()

    def close(self) -> None:
        """Abort, and close the connections."""
        self.abort()
        self._sender.close()

    @contextmanager
    def _respond(self, url: str, accept: str) -> Iterator[_OpenResponse]:
        self.rate_limit.wait()
        with self._timeouts.request() as request:
            response, exchange, url = self._sender.send(url, accept, request)
            try:
                if response.status != HTTPStatus.OK:
                    words = shortened(self._sender.secrets.hide(read_words(response)))
                    request.check(exchange)
                    exchange = exchange._replace(server_said=words)
                    has_credentials = self._sender.has_credentials
                    raise error_of_status(response.status, response.headers, exchange, has_credentials=has_credentials)
                yield _OpenResponse(response, exchange, request, url)
            finally:
                # One that was read to its end has given its connection back before.
                response.close()
                response.release_conn()


class _OpenResponse:
    """A `StreamedResponse`."""

    def __init__(self, response: BaseHTTPResponse, exchange: Exchange, request: InFlight, url: str) -> None:
        self._response = response
        self._url = url
        self.request = request
        self.exchange = exchange
        self.headers: Mapping[str, str] = response.headers
        self.media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def whole(self) -> Response:
        with mapped_errors(self.exchange, self.request):
            response = self._response
            # A content coding such as gzip has an end of its own.
            is_coded = self.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}
            has_end = response.length_remaining is not None or response.chunked or is_coded
            body = read_body(response)
        return Response(body, self.media_type, self.headers, self.exchange, self._url, not has_end)

    def chunks(self) -> Iterator[bytes]:
        """See `StreamedResponse.chunks`."""
        pieces = read_pieces(self._response)
        while True:
            self.request.restart_clock()
            with mapped_errors(self.exchange, self.request):
                piece = next(pieces, None)
            self.request.stop_clock()
            if piece is None:
                return
            yield piece
