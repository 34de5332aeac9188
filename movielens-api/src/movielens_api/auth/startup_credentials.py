"""The credentials with which a server starts, and whether they are safe on its address."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from movielens_api.auth import DEFAULT, Credentials
from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_credentials(user: str | None, password: str | None, environ: Mapping[str, str]) -> Credentials | None:
    """Return the user and password from the options or from ``API_USER`` and ``API_PASSWORD``, or None without either.

    Raises:
        StartupError: Only one of the two is given, or HTTP Basic cannot send the user name.
    """
    user = user or environ.get("API_USER")
    password = password or environ.get("API_PASSWORD")
    if not user and not password:
        return None
    if not user or not password:
        raise StartupError("user and password must be given together: set both API_USER and API_PASSWORD")
    try:
        return Credentials(user, password)
    except ValueError as error:
        raise StartupError(str(error)) from error


def choose_credentials(given: Credentials | None, host: str, *, has_users: bool) -> Credentials | None:
    """Return the given user or the default one, in addition to the users in the users file.

    On a public address, users in the file are enough. The default user is not accepted there, even if all users are
    removed later.

    Raises:
        StartupError: The default password would be accepted from other computers.
    """
    if given is None and has_users and not is_loopback(host):
        return None
    chosen = given or DEFAULT
    if chosen.password == DEFAULT.password and not is_loopback(host):
        raise StartupError(
            f"the default password is not allowed on {host}: set API_USER and API_PASSWORD, or add users"
        )
    return chosen


def is_loopback(host: str) -> bool:
    """Return whether a server on the host can be reached from this computer only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
