"""Authentication: the header ``Authorization`` of requests, which is not shown."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from airflow_movielens.client.secret import HiddenText, Secret, reveal

if TYPE_CHECKING:
    from requests import PreparedRequest

    from airflow_movielens.client.settings import ClientSettings


class Authorization:
    """What adds the header ``Authorization`` to a request of requests.

    Args:
        header: The value of the header.
    """

    def __init__(self, header: Secret) -> None:
        self._header = header

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = HiddenText(self._header.reveal())
        return request


def authentication(settings: ClientSettings) -> Authorization | None:
    """Return what authenticates a request: the token, otherwise user and password, otherwise nothing."""
    if settings.token:
        return Authorization(Secret(f"Bearer {reveal(settings.token)}"))
    if settings.user is None:
        return None
    # Requests would encode text as Latin-1.
    pair = f"{settings.user}:{reveal(settings.password)}".encode()
    return Authorization(Secret(f"Basic {b64encode(pair).decode()}"))
