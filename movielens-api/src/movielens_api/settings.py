"""Which user and password the server accepts, and to whom it may show itself."""

from collections.abc import Mapping
from ipaddress import ip_address

from movielens_api.auth import Credentials
from movielens_api.errors import StartupError

DEFAULT = Credentials("movielens", "movielens")


def choose_credentials(user: str | None, password: str | None, environ: Mapping[str, str]) -> Credentials:
    """Take each from the option, else from `API_USER` and `API_PASSWORD`; without any, the default.

    Raises:
        StartupError: only one of the two is given, or HTTP Basic cannot carry the user.
    """
    user = user or environ.get("API_USER")
    password = password or environ.get("API_PASSWORD")
    if not user and not password:
        return DEFAULT
    if not user or not password:
        raise StartupError("a user and a password belong together: set both API_USER and API_PASSWORD")
    try:
        return Credentials(user, password)
    except ValueError as error:
        raise StartupError(str(error)) from error


def refuse_default_in_public(credentials: Credentials, host: str) -> None:
    """Guard against a server that the whole network can log in to.

    Raises:
        StartupError: the password is the default one, and the host is not this computer only.
    """
    if credentials.password == DEFAULT.password and not is_loopback(host):
        raise StartupError(f"not on {host} with the default password: set API_USER and API_PASSWORD")


def is_loopback(host: str) -> bool:
    """Tell whether only this computer can reach a server on the host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
