"""Authentication: the credentials of requests, which are hidden in messages, logs and URLs."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest
    from requests.auth import HTTPBasicAuth

    from airflow_movielens.client.settings import ClientSettings

_HIDDEN = "***"
_SHORTEST = 4
"""A shorter password occurs in too many words to be hidden."""
_SECRET_PARAMETER = re.compile(r"(?i)([?&](?:\w*token|\w*passw(?:or)?d|\w*secret|api_?key|auth\w*|signature)=)[^&#\s]+")
_CREDENTIALS_IN_URL = re.compile(r"(?i)(\bhttps?://)[^\s/?#@]+@")


def authentication(settings: ClientSettings) -> HTTPBasicAuth | Callable[[PreparedRequest], PreparedRequest] | None:
    """Return what authenticates a request: the token, otherwise user and password, otherwise nothing."""
    if settings.token:
        return _bearer(settings.token)
    return None if settings.user is None else _basic(settings.user, settings.password or "")


def _basic(user: str, password: str) -> HTTPBasicAuth:
    from requests.auth import HTTPBasicAuth

    # Requests would encode text as Latin-1.
    return HTTPBasicAuth(cast("str", user.encode()), cast("str", password.encode()))


def _bearer(token: str) -> Callable[[PreparedRequest], PreparedRequest]:
    def authenticate(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authenticate


class Secrets:
    """The credentials of a client.

    Args:
        settings: The client's settings.
        proxy: The proxy's URL, which may hold credentials; None if there is no proxy.
    """

    def __init__(self, settings: ClientSettings, proxy: str | None = None) -> None:
        secrets = [settings.token or "", *_forms(settings.user or "", settings.password or "")]
        if proxy:
            parts = urlsplit(proxy)
            secrets += _forms(unquote(parts.username or ""), unquote(parts.password or ""))
        # The longest first, because one secret may contain another.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return the text with the credentials replaced."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return hide_in_url(text)


def hide_in_url(url: str) -> str:
    """Return the URL without its user, password and parameters that look like credentials."""
    return _SECRET_PARAMETER.sub(rf"\g<1>{_HIDDEN}", _CREDENTIALS_IN_URL.sub(r"\1", url))


def _forms(user: str, password: str) -> list[str]:
    if not password:
        return []
    return [password, quote(password, safe=""), b64encode(f"{user}:{password}".encode()).decode()]
