"""How a ratings API is reached, what to read from it, and the sizes at which it is read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.secret import Secret, reveal
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from airflow_movielens.client.limits import Limits
    from airflow_movielens.client.window import Window

DEFAULT_PORT = 5000
"""The default port for http; https uses its own."""
DEFAULT_CONCURRENCY = 16
DataFormat = Literal["auto", "arrow", "ndjson", "json"]
MIN_PAGE_SIZE = 2
"""Pages overlap by one row, so a page must hold two to make progress."""
_MAX_PORT = 65_535
_MAX_NUMBER = 2**63 - 1
_MAX_CONCURRENCY = 1000
"""Each request may hold a connection, which is a file descriptor, and systems allow about 1,000 of them."""

_MAY_BE_UNLIMITED = {"requests_per_second", "max_rows", "max_seconds"}
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class ClientSettings:
    """How a ratings API is reached.

    Attributes:
        base_url: Scheme, host, port and path prefix, such as ``http://localhost:5000``.
        user: User for HTTP Basic authentication; None for none.
        password: Its password, given as text; kept as a `Secret`, which is not shown.
        token: Bearer token, sent instead of user and password; kept as a `Secret`, too.
        page_size: Rows per request, at least 1 (1 becomes 2, because pages by offset overlap by one row); None to adapt
            it to the API, from 1,000 up to 10,000.
        concurrency: How many requests may be in flight at once, 1 to 1,000; fewer while the server is overloaded.
        requests_per_second: How many requests may be started per second; None for no limit.
        retries: How often a failed request is retried, at least 0.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for each piece of a response.
        total_timeout: Seconds that one request may take in total, to the end of its response; if that is streamed, for
            its headers and for each megabyte of it.
        data_format: The format to request: ``auto`` for the best that the server offers, or ``arrow``, ``ndjson`` or
            ``json``.
        verify_tls: Whether to verify the server's certificate.
        ca_file: PEM file with the certificates of authorities to trust; None for the default ones.
        client_certificate: PEM file with a client certificate and its chain; None for none.
        client_key: PEM file with its key; None if it is in the same file.
        max_rows: How many ratings a fetch may read; None for no limit.
        max_seconds: How many seconds a fetch may take; None for no limit.
        time_zone: IANA name of the time zone of the server's days, such as ``Asia/Seoul``; None for UTC, as in the
            contract. Windows are always UTC days.

    Raises:
        FatalError: A value is out of range, or the URL is unusable.
    """

    base_url: str
    user: str | None = None
    password: str | Secret | None = field(default=None, repr=False)
    token: str | Secret | None = field(default=None, repr=False)
    page_size: int | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    requests_per_second: float | None = None
    retries: int = 3
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    total_timeout: float = 300.0
    data_format: DataFormat = "auto"
    verify_tls: bool = True
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    time_zone: str | None = None
    max_rows: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        _split(self.base_url)
        checked_page_size(self.page_size)
        for name in ("password", "token"):
            object.__setattr__(self, name, Secret.of(getattr(self, name)))
        _check_credentials(self.user, self.password, self.token)
        for name, least in {"retries": 0, "concurrency": 1, "max_rows": 1}.items():
            value = getattr(self, name)
            if not _is_whole(value, least) and (value is not None or name not in _MAY_BE_UNLIMITED):
                raise FatalError(f"{name} is {shown(value)}: give a whole number of at least {least}")
        if self.concurrency > _MAX_CONCURRENCY:
            raise FatalError(f"concurrency is {shown(self.concurrency)}: give at most {_MAX_CONCURRENCY}")
        for name in ("connect_timeout", "read_timeout", "total_timeout", "requests_per_second", "max_seconds"):
            value = getattr(self, name)
            if not _is_above_0(value) and (value is not None or name not in _MAY_BE_UNLIMITED):
                raise FatalError(f"{name} is {shown(value)}: give a number above 0")
        if self.data_format not in get_args(DataFormat):
            raise FatalError(f"data_format is {shown(self.data_format)}: give one of {', '.join(get_args(DataFormat))}")


def _check_credentials(user: object, password: object, token: object) -> None:
    # Without their values: these messages go into logs.
    for name, value in {"user": user, "password": password, "token": token}.items():
        if not (value is None or isinstance(value, str | Secret)):
            raise FatalError(f"{name} is a {type(value).__name__}: give text")
        if isinstance(value, str | Secret) and not _is_unicode(reveal(value)):
            raise FatalError(f"{name} has a character that is not Unicode text: give it in UTF-8")
    if isinstance(token, Secret) and not _TOKEN.fullmatch(token.reveal()):
        raise FatalError("the token must be printable ASCII without spaces or line ends: was it pasted with one?")


def _is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, as which Python represents bytes that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def checked_page_size(page_size: int | None) -> int | None:
    """Return the page size to request, which is at least `MIN_PAGE_SIZE`, or None to adapt it to the API.

    Raises:
        FatalError: The page size is not a whole number of at least 1.
    """
    if page_size is None:
        return None
    if not _is_whole(page_size, 1):
        raise FatalError(f"page size (batch_size) is {shown(page_size)}: give a whole number of at least 1")
    return max(page_size, MIN_PAGE_SIZE)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MAX_NUMBER


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def build_base_url(host: str | None = None, schema: str | None = None, port: int | None = None) -> str:
    """Build the base URL from the parts that users give.

    Args:
        host: A bare host (default ``localhost``), or a full URL with scheme, port and path prefix.
        schema: ``http`` (default) or ``https``; a scheme inside ``host`` takes precedence, but never turns https into
            http.
        port: Default 5000 for http and 443 for https; a port inside ``host`` takes precedence, and a full URL without a
            port means the default port of its scheme.

    Raises:
        FatalError: The message names the part that is unusable. Credentials inside ``host`` are refused.
    """
    text = (host or "localhost").strip()
    is_url = "://" in text
    scheme = (schema or "http").strip().lower()
    if scheme not in {"http", "https"}:
        raise FatalError(f"schema is {schema!r}: give http or https; a path prefix belongs to the host")
    if port is not None and not 1 <= port <= _MAX_PORT:
        raise FatalError(f"port is {shown(port)}: give one from 1 to {_MAX_PORT}")
    try:
        parts = _split(text if is_url else f"{scheme}://{_bracketed(text)}")
    except FatalError as error:
        raise FatalError(f"host: {error}") from None
    if scheme == "https" and parts.scheme == "http":
        raise FatalError(f"host {text!r} says http, but schema says https: make both https")
    if parts.port is None and (port or not is_url):
        default = 443 if parts.scheme == "https" else DEFAULT_PORT
        parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{port or default}")
    return parts._replace(path=parts.path.rstrip("/")).geturl()


def _bracketed(host: str) -> str:
    is_bare_ipv6 = host.count(":") > 1 and not host.startswith("[")
    return f"[{host}]" if is_bare_ipv6 else host


def _split(url: str) -> SplitResult:
    # `urlsplit` drops line ends and tabs: the request would go to another host.
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        address = "" if "@" in str(url) else f" {shown(url)}"  # what stands before @ may be a password
        raise FatalError(f"the API's address{address} is not a URL: it has a space or a control character")
    try:
        parts = urlsplit(url)
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError as error:
        raise FatalError(f"the API's address is unusable: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise FatalError("the API's address must not hold credentials: give user and password on their own")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_readable:
        raise FatalError(f"the API's address {url!r} is not an http or https URL with a host")
    if parts.path.rstrip("/").startswith("//"):
        raise FatalError(f"the API's address {url!r} has two slashes at the start of its path: give one")
    if parts.query or parts.fragment:
        raise FatalError(f"the API's address {url!r} must end before '?' and '#'")
    return parts


OnBadRows = Literal["fail", "quarantine"]


@dataclass(frozen=True)
class ReadOptions:
    """The options of one read, checked once and passed down.

    Attributes:
        window: The days to read.
        page_size: Rows per request; see `ClientSettings`.
        on_bad_rows: How to handle rows that break the contract, even after a second read: ``fail`` raises,
            ``quarantine`` sets them aside.
        limits: The limits of the fetch that reads; None for none.

    Raises:
        FatalError: The page size or ``on_bad_rows`` is not an allowed value.
    """

    window: Window
    page_size: int | None
    on_bad_rows: OnBadRows = "fail"
    limits: Limits | None = None

    def __post_init__(self) -> None:
        # A dataframe, for example, cannot be compared with text.
        if not isinstance(self.on_bad_rows, str) or self.on_bad_rows not in get_args(OnBadRows):
            raise FatalError(f"on_bad_rows is {shown(self.on_bad_rows)}: give 'fail' or 'quarantine'")
        object.__setattr__(self, "page_size", checked_page_size(self.page_size))


@dataclass(frozen=True)
class Tuning:
    """Sizes that bound memory and trade it for speed.

    Attributes:
        first_page_size: How many rows the first request asks for, if no page size is given.
        largest_page_size: How many rows a request asks for at most, if no page size is given.
        slow_page_seconds: A page that takes longer does not make the pages larger.
        max_body_bytes: The largest body of a page, decompressed, whatever number of rows was requested.
        spare_body_bytes: How many bytes a body may have besides its rows.
        max_row_bytes: How many bytes a body may have per requested row; a rating has about 70.
        chunk_bytes: The size of the chunks in which a response is streamed.
        ndjson_bytes: How many bytes of lines are decoded at once.
        max_line_bytes: The longest line of NDJSON.
        arrow_bytes: How many bytes of record batches are decoded at once.
        arrow_rows: How many rows of record batches are decoded at once.
        min_frame_rows: The fewest rows of a JSON page that make a dataframe: several smaller pages make one.
        part_rows: How many rows end a part of a fetch.
        part_seconds: After how many seconds a part ends, even with fewer rows.
        part_share: The share of a fetch's time that each part takes at least, unless its rows end it: the parts of a
            long fetch become longer, so that there are never more than a few hundred.
        early_share: The largest share of a fetch's time that is spent on saving pages before their part ends; 0 for
            never.
        start_over_seconds: The longest wait before a fetch starts over because the data changed.
    """

    first_page_size: int = 1_000
    largest_page_size: int = 10_000
    slow_page_seconds: float = 1.0
    max_body_bytes: int = 256 * 1024**2
    spare_body_bytes: int = 1024**2
    max_row_bytes: int = 1024
    chunk_bytes: int = 1024**2
    ndjson_bytes: int = 1024**2
    max_line_bytes: int = 1024**2
    arrow_bytes: int = 2 * 1024**2
    arrow_rows: int = 50_000
    min_frame_rows: int = 2_000
    part_rows: int = 125_000
    part_seconds: float = 2.0
    part_share: float = 0.02
    early_share: float = 0.2
    start_over_seconds: float = 1.0

    def largest_body(self, rows: int) -> int:
        """Return how many bytes the body of a response to a request for so many rows may have, decompressed."""
        return min(self.spare_body_bytes + rows * self.max_row_bytes, self.max_body_bytes)


DEFAULT_TUNING = Tuning()
