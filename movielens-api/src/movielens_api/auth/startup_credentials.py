"""Which user and password the server accepts, and to whom it may show itself."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from movielens_api.auth import DEFAULT, Credentials
from movielens_api.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_credentials(user: str | None, password: str | None, environ: Mapping[str, str]) -> Credentials | None:
    """Take each from the option, else from `API_USER` and `API_PASSWORD`; None if neither is there.

    Raises:
        StartupError: only one of the two is given, or HTTP Basic cannot carry the user.
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
    """Choose the user beside those of the users' file: the given one, else the default.

    In public, users in the file are enough, and the default stays out even if they are removed later.

    Raises:
        StartupError: the default password would be open to more than this computer.
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
    """Tell whether only this computer can reach a server on the host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
