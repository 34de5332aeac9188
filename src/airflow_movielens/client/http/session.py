"""The requests session with a client's credentials, TLS and proxy, which are resolved once."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_movielens import __version__
from airflow_movielens.client.http.auth import authentication
from airflow_movielens.client.http.origins import MAX_REDIRECTS, redirect_target
from airflow_movielens.client.http.responses import accepted_encodings
from airflow_movielens.client.http.tls import build_ssl_context

if TYPE_CHECKING:
    import ssl

    from requests import Response, Session
    from requests.adapters import HTTPAdapter

    from airflow_movielens.client.settings import ClientSettings


def build_session(settings: ClientSettings) -> Session:
    """Build a session that authenticates and refuses redirects to another origin.

    Proxies and trusted authorities come from the environment, as in requests, but are read once and not with every
    request. TLS follows the settings; ``verify`` and ``cert`` of a single request have no effect.

    Raises:
        FatalError: A TLS file or the proxy in the environment is unusable.
    """
    import requests
    from requests.utils import default_user_agent

    class SameHostSession(requests.Session):
        def get_redirect_target(self, resp: Response) -> str | None:
            return redirect_target(resp.url, resp.status_code, resp.headers)

    session = SameHostSession()
    session.max_redirects = MAX_REDIRECTS
    session.headers["Accept"] = "application/json"
    session.headers["Accept-Encoding"] = "identity" if is_loopback(settings.base_url) else accepted_encodings()
    session.headers["User-Agent"] = f"airflow-movielens/{__version__} {default_user_agent()}"
    session.auth = authentication(settings)
    trusted = _take_environment(session, settings)
    session.verify = trusted if settings.verify_tls else False
    context = build_ssl_context(settings, trusted) if settings.base_url.startswith("https:") else None
    # While the size of pages changes, requests for those of the size before may still be in flight.
    adapter = _adapter(2 * settings.concurrency, context)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine, where bandwidth costs nothing."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _take_environment(session: Session, settings: ClientSettings) -> str:
    """Set the proxies of the environment; return the path of the trusted authorities."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    found = session.merge_environment_settings(settings.base_url, {}, None, None, None)
    session.proxies.update(found["proxies"])
    session.trust_env = False
    return settings.ca_file or (found["verify"] if isinstance(found["verify"], str) else DEFAULT_CA_BUNDLE_PATH)


def _adapter(connections: int, context: ssl.SSLContext | None) -> HTTPAdapter:
    from requests.adapters import HTTPAdapter

    from airflow_movielens.client.http.connections import CUTTABLE_POOLS

    class CuttableAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = CUTTABLE_POOLS

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            if proxy.lower().startswith("socks"):
                return super().proxy_manager_for(proxy, **kwargs)
            manager = super().proxy_manager_for(proxy, proxy_ssl_context=context, **kwargs)
            manager.pool_classes_by_scheme = CUTTABLE_POOLS
            return manager

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
            host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
            return host, tls if context is None else {"ssl_context": context}

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            if context is None:
                super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    return CuttableAdapter(pool_maxsize=connections)
