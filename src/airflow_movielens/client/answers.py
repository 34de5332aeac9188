"""An answer of the API, whole or as it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_movielens.client.errors import Exchange


@dataclass(frozen=True)
class Answer:
    """A successful answer (200), whole.

    Attributes:
        body: Its content, with any content coding (gzip, …) taken off.
        media_type: From ``Content-Type``, in lower case, without parameters; empty if the server sent none.
        headers: All headers; names are looked up whatever their case.
        exchange: Where it came from, for error messages.
        url: The URL that answered, which its links are relative to; nothing is hidden in it, so it is not shown.
        is_close_delimited: Whether only the end of the connection ended the body (RFC 9112, section 6.3), so that a cut
            is not seen.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    exchange: Exchange
    url: str = field(repr=False)
    is_close_delimited: bool = False


class StreamedAnswer(Protocol):
    """A successful answer (200) that is read while it arrives."""

    @property
    def media_type(self) -> str:
        """As in `Answer`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """As in `Answer`."""

    @property
    def exchange(self) -> Exchange:
        """As in `Answer`."""

    def chunks(self) -> Iterator[bytes]:
        """Give the content, with any content coding taken off, in pieces of about a megabyte.

        Raises:
            RetryableError: It broke off, or a piece took longer than the settings allow.
            BadAnswerError: Its content coding is unknown or wrong.
            AbortedError: It is no longer wanted.
        """
