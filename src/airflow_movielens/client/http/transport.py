"""The transport: sends GET requests over shared connections, and follows redirects within the API's origin.

It calls urllib3 with a request that requests prepared once: requests itself would prepare each request and read the
environment anew, which takes longer than a small page.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from airflow_movielens.client.errors import BadRowsError, DataError, Exchange, FatalError, MovielensError
from airflow_movielens.client.http.error_mapping import chain_of, error_of_status, mapped_errors
from airflow_movielens.client.http.masking import Secrets
from airflow_movielens.client.http.origins import MAX_REDIRECTS, redirect_target, same_origin
from airflow_movielens.client.http.rate_limit import RateLimit
from airflow_movielens.client.http.responses import (
    Response,
    discard,
    encodings_in,
    read_body,
    read_chunks,
    read_error_text,
    shorten,
)
from airflow_movielens.client.http.session import build_session
from airflow_movielens.client.http.timeouts import Timeouts
from airflow_movielens.client.settings import DEFAULT_TUNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import PreparedRequest, Session
    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from airflow_movielens.client.errors import BadRow
    from airflow_movielens.client.http.rate_limit import Clock
    from airflow_movielens.client.http.timeouts import InFlight
    from airflow_movielens.client.rows import Page
    from airflow_movielens.client.settings import ClientSettings, Tuning

CustomTransport = Callable[[str, Mapping[str, str]], tuple[int, Mapping[str, str], bytes]]
"""A function that takes the URL and headers of a GET request, and returns a response's status, headers and body."""


class _CustomPool:
    """A pool whose requests are passed to a custom transport."""

    def __init__(self, respond: CustomTransport) -> None:
        self._respond = respond

    def urlopen(self, method: str, url: str, headers: Mapping[str, str], **_: Any) -> BaseHTTPResponse:
        """Return the custom transport's response as urllib3 returns a server's."""
        from urllib3 import HTTPResponse

        status, response_headers, body = self._respond(url, headers)
        return HTTPResponse(
            BytesIO(body),
            {"Content-Length": str(len(body)), **response_headers},
            status,
            preload_content=False,
            decode_content=False,
            request_method=method,
        )

    def close(self) -> None:
        """Do nothing: there are no connections."""


class Sender:
    """The connections to one API, over which GET requests are sent. Safe to use from several threads.

    Attributes:
        session: The session that holds the connections, credentials, TLS and proxy.
        secrets: The credentials, which are kept out of messages.
        tuning: The sizes at which responses are read and decoded.

    Args:
        settings: The client's settings.
        tuning: The sizes at which responses are read and decoded.
        custom: A function that responds to the requests; None to send them to the API.

    Raises:
        FatalError: A setting or the proxy in the environment is unusable.
    """

    def __init__(self, settings: ClientSettings, tuning: Tuning, custom: CustomTransport | None = None) -> None:
        from requests.utils import select_proxy
        from urllib3 import Timeout

        self.session: Session = build_session(settings)
        self.tuning = tuning
        self._base_url = settings.base_url
        self._origin_length = len(settings.base_url) - len(urlsplit(settings.base_url).path)
        self._timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        prepared, adapter, pool = _prepare(self.session, settings.base_url)
        self._pool = pool if custom is None else cast("HTTPConnectionPool", _CustomPool(custom))
        self.secrets = Secrets(settings, select_proxy(settings.base_url, self.session.proxies))
        self._headers = {
            name: value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
        }
        self._encodings = encodings_in(self._headers.get("Accept-Encoding", ""))
        self._has_credentials = "Authorization" in self._headers
        proxied = adapter.request_url(prepared, dict(self.session.proxies))
        self._sends_whole_url = custom is not None or proxied.startswith("http")

    def send(self, url: str, accept: str, request: InFlight) -> OpenResponse:
        """Send one request, without retries.

        Args:
            url: The absolute URL, on the API's origin.
            accept: The header ``Accept``.
            request: The request in flight, which can be cut off.

        Returns:
            The response, with its body unread; the caller closes it.

        Raises:
            RetryableError: No response came, or the status is 408, 429 or 5xx.
            RatingsChangedError: The status is 409 or 410.
            FatalError: The URL or a redirect leads to another origin, or a retry cannot help.
            AbortedError: The request was cut off.
        """
        from airflow_movielens.client.http.kept_alive import send_get

        for _ in range(MAX_REDIRECTS + 1):
            exchange = Exchange("GET", self.secrets.hide(url))
            with mapped_errors(exchange, request), request.sending():
                headers = {**self._headers, "Accept": accept}
                response = send_get(self._pool, self._request_target(url), headers, self._timeout)
            target = redirect_target(url, response.status, response.headers)
            if target is None:
                exchange = exchange._replace(status=response.status)
                self._hide_in_headers(response)
                opened = OpenResponse(response, exchange, request, url, self.tuning, encodings=self._encodings)
                if response.status != HTTPStatus.OK:
                    with opened:
                        raise self._error(response, exchange, request)
                return opened
            discard(response)
            self.refuse_secrets(target, url, exchange._replace(status=response.status))
            url = target
        raise FatalError(
            "the API redirects in a loop; behind a proxy, it may not know that it is reached by https "
            "(X-Forwarded-Proto)",
            exchange,
        )

    def refuse_secrets(self, url: str, requested: str, exchange: Exchange) -> None:
        """Refuse a link or redirect with credentials, which logs and checkpoints would keep.

        Raises:
            FatalError: The URL has a credential that the requested one does not have.
        """
        if self.secrets.are_in_link(url, requested):
            message = "the API links or redirects to an address that holds the credentials: it was not requested"
            raise FatalError(message, exchange)

    def _hide_in_headers(self, response: BaseHTTPResponse) -> None:
        # It is copied into bookmarks, manifests and messages.
        if "Snapshot" in response.headers:
            response.headers["Snapshot"] = self.secrets.hide(response.headers["Snapshot"])

    def _error(self, response: BaseHTTPResponse, exchange: Exchange, request: InFlight) -> MovielensError:
        text = shorten(self.secrets.hide(read_error_text(response, self._encodings)))
        request.check(exchange)
        exchange = exchange._replace(server_said=text)
        return error_of_status(response.status, response.headers, exchange, has_credentials=self._has_credentials)

    def close(self) -> None:
        """Close the connections; those of requests in flight close when these end."""
        self.session.close()
        self._pool.close()

    def _request_target(self, url: str) -> str:
        is_below_base = url.startswith(f"{self._base_url}/")
        if is_below_base and "#" not in url and not self._sends_whole_url:
            return url[self._origin_length :]
        if not (is_below_base or same_origin(url, self._base_url)):
            raise FatalError(f"the request is not for the API's own origin, {self._base_url}: it was not sent")
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        return url if self._sends_whole_url else path


def _prepare(session: Session, base_url: str) -> tuple[PreparedRequest, HTTPAdapter, HTTPConnectionPool]:
    import requests
    from requests.adapters import HTTPAdapter

    adapter = session.get_adapter(base_url)
    assert isinstance(adapter, HTTPAdapter)  # noqa: S101 -- the session's own
    try:
        prepared = session.prepare_request(requests.Request("GET", base_url))
        pool = adapter.get_connection_with_tls_context(prepared, verify=True, proxies=session.proxies)
    except ValueError as error:
        # The error's own text is left out, because it may quote a proxy's URL with credentials.
        message = f"the API's address or the proxy in the environment is unusable ({type(error).__name__})"
        raise FatalError(message) from None
    return prepared, adapter, cast("HTTPConnectionPool", pool)


class Transport:
    """A transport of GET requests to one API, under its rate limit and timeouts. Safe to use from several threads.

    Each request is sent once; `Retries` repeats it.

    Attributes:
        session: The session that holds the connections, credentials, TLS and proxy.
        rate_limit: The rate limit that requests wait for.
        tuning: The sizes at which responses are read and decoded.

    Args:
        settings: The client's settings.
        clock: The source of time for waits; None for the system's.
        tuning: The sizes at which responses are read and decoded; None for the defaults.
        custom: A function that responds to the requests; None to send them to the API.
        sender: Connections to share; None for new ones.
        rate_limit: The rate limit to share; None for a new one.

    Raises:
        FatalError: A TLS file or the proxy in the environment is unusable.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        clock: Clock | None = None,
        tuning: Tuning | None = None,
        custom: CustomTransport | None = None,
        sender: Sender | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._settings = settings
        self._sender = sender or Sender(settings, tuning or DEFAULT_TUNING, custom)
        self._timeouts = Timeouts(settings.total_timeout)
        self._branches: weakref.WeakSet[Transport] = weakref.WeakSet()
        self.session: Session = self._sender.session
        self.rate_limit = rate_limit or RateLimit(settings.requests_per_second, clock=clock)
        self.tuning = self._sender.tuning

    def branch(self) -> Transport:
        """Return a transport with the same connections and rate limit that can be aborted on its own.

        Aborting or closing this one aborts the branch, too.
        """
        branch = Transport(self._settings, sender=self._sender, rate_limit=self.rate_limit.branch())
        self._branches.add(branch)
        return branch

    def get(self, url: str, accept: str, rows: int) -> Response:
        """Send one request and read its whole response.

        Args:
            url: The absolute URL, on the API's origin.
            accept: The header ``Accept``.
            rows: How many rows the URL requests, which bounds the size of the body; see `Tuning.largest_body`.

        Raises:
            RetryableError: The connection failed, the request timed out, the body is truncated, or the status is 408,
                429 or 5xx.
            BadResponseError: The body of a successful response is too large or cannot be decompressed.
            RatingsChangedError: The status is 409 or 410.
            FatalError: The status is another one, a redirect leads elsewhere, or the certificate cannot be trusted.
            AbortedError: The transport was aborted.
        """
        self.rate_limit.wait()
        with self._timeouts.request() as request, self._sender.send(url, accept, request) as response:
            return response.whole(rows)

    @contextmanager
    def stream(self, url: str, accept: str) -> Iterator[OpenResponse]:
        """Send one request, and yield its response, of any size, to be read as it arrives.

        Arguments and errors are those of `get`, without a bound of the size. The total timeout applies to the headers
        and then to each chunk; the time that the reader takes between chunks does not count.
        """
        self.rate_limit.wait()
        with self._timeouts.request() as request, self._sender.send(url, accept, request) as response:
            request.stop_clock()
            yield response

    @contextmanager
    def hiding_secrets(self) -> Iterator[None]:
        """Hide the credentials in errors raised in the block and in their causes, because a response may quote them."""
        try:
            yield
        except MovielensError as error:
            chain = list(chain_of(error))
            for each in chain:
                each.args = tuple(
                    self._sender.secrets.hide(part) if isinstance(part, str) else part for part in each.args
                )
            for each, cause in pairwise(chain):
                # Some show more than their arguments, such as the chunk's size that urllib3 could not read.
                if (shown := f"{cause} {cause!r}") != self._sender.secrets.hide(shown):
                    each.__cause__ = each.__context__ = None
                    break
            if isinstance(error, BadRowsError | DataError):
                error.bad_rows = tuple(map(self.without_secrets, error.bad_rows))
            raise

    def without_secrets(self, bad: BadRow) -> BadRow:
        """Return a bad row with the credentials hidden: it may be written to a file of quarantined rows."""
        return replace(bad, problem=self._sender.secrets.hide(bad.problem), row=self.hide_in(bad.row))

    def hide_in(self, value: Any) -> Any:
        """Return a value that JSON can hold with the credentials hidden."""
        return self._sender.secrets.hide_in(value)

    def refuse_secrets(self, page: Page, response: Response) -> None:
        """Refuse links with credentials; see `Sender.refuse_secrets`."""
        for url in filter(None, (page.next_url, page.section_url)):
            self._sender.refuse_secrets(url, response.url, response.exchange)

    def abort(self) -> None:
        """Cut off all requests in flight and end all waits; they and all later calls raise `AbortedError`.

        It may be called from any thread. Only the lookup of a host name cannot be cut off.
        """
        self.rate_limit.abort()
        self._timeouts.abort()
        for branch in list(self._branches):
            branch.abort()

    def close(self) -> None:
        """Abort all requests, and close the connections."""
        self.abort()
        self._sender.close()


class OpenResponse:
    """A response that is read whole, or while it arrives. Usable as a context manager, which closes it.

    Attributes:
        media_type: The same as in `Response`.
        headers: The same as in `Response`.
        exchange: The same as in `Response`.
    """

    def __init__(
        self,
        response: BaseHTTPResponse,
        exchange: Exchange,
        request: InFlight,
        url: str,
        tuning: Tuning,
        *,
        encodings: frozenset[str],
    ) -> None:
        self._response = response
        self._url = url
        self._tuning = tuning
        self._encodings = encodings
        self._request = request
        self.exchange = exchange
        self.headers: Mapping[str, str] = response.headers
        self.media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A response that was read to its end has released its connection already.
        self._response.close()
        self._response.release_conn()

    def whole(self, rows: int) -> Response:
        """Read the whole body; ``rows`` and errors as in `Transport.get`."""
        with mapped_errors(self.exchange, self._request):
            response = self._response
            # A compression such as gzip marks its own end.
            is_compressed = self.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}
            has_end = response.length_remaining is not None or response.chunked or is_compressed
            body = read_body(response, self._tuning, self._encodings, rows)
        seconds = self._request.elapsed
        return Response(body, self.media_type, self.headers, self.exchange, self._url, not has_end, seconds)

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed body in chunks of about a megabyte.

        Raises:
            RetryableError: The response broke off, or a chunk took longer than the settings allow.
            BadResponseError: The compression is unknown, or the content does not have it.
            AbortedError: The client was closed, or the response is no longer wanted.
        """
        with mapped_errors(self.exchange, self._request):
            chunks = read_chunks(self._response, self._tuning.chunk_bytes, self._encodings)
        while True:
            self._request.restart_clock()
            with mapped_errors(self.exchange, self._request):
                chunk = next(chunks, None)
            self._request.stop_clock()
            if chunk is None:
                return
            yield chunk
