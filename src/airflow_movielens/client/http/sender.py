"""Sends a GET request over the session's connections, and follows redirects within the host.

It calls urllib3 with what requests prepared once: requests itself prepares, and looks into the environment, anew with
every request, which takes longer than a small page does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from airflow_movielens.client.errors import Exchange, FatalError
from airflow_movielens.client.http.origins import is_same_origin
from airflow_movielens.client.http.redirects import MOST_REDIRECTS, redirect_target
from airflow_movielens.client.http.secrets import Secrets
from airflow_movielens.client.http.session import build_session
from airflow_movielens.client.http.troubles import explained

if TYPE_CHECKING:
    from requests import PreparedRequest, Session
    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from airflow_movielens.client.http.deadlines import UnderWay
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

    def send(self, url: str, accept: str, request: UnderWay) -> tuple[BaseHTTPResponse, Exchange, str]:
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
        for _ in range(MOST_REDIRECTS + 1):
            exchange = Exchange("GET", self.secrets.hide(url))
            with explained(exchange, request):
                response = self._send(url, accept, request)
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

    def _send(self, url: str, accept: str, request: UnderWay) -> BaseHTTPResponse:
        if not is_same_origin(url, self._base_url):
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
