"""The formats of answers, told by their media types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_movielens.client.decoding.arrow import ArrowDecoder
from airflow_movielens.client.decoding.checking import RowChecker
from airflow_movielens.client.decoding.ndjson import NdjsonDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.client.settings import DataFormat
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
ACCEPT: Mapping[DataFormat, str] = {
    "auto": f"{ARROW}, {NDJSON};q=0.9, {JSON};q=0.8",
    "arrow": ARROW,
    "ndjson": NDJSON,
    "json": JSON,
}
"""What to ask for, as the header ``Accept``."""

_NDJSON_NAMES = {NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"}
# Servers that say nothing, or nothing in particular, are believed if the content is JSON.
_JSON_NAMES = {JSON, "", "text/json", "text/plain", "application/octet-stream"}


class StreamDecoder(Protocol):
    """Reads an answer while it arrives."""

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next piece, cut anywhere; give the rows that are worth giving by now."""

    def whole_rows(self) -> Iterator[Rows]:
        """Give the rows that are there as a whole: after an answer broke off, all of it that can be used."""

    def finish(self) -> Iterator[Rows]:
        """Take the end of the answer; give the rows not given yet."""


def stream_decoder(
    media_type: str, exchange: Exchange, table: Table, window: Window, *, quarantine: bool = False
) -> StreamDecoder | None:
    """Choose what reads an answer while it arrives; what its methods give must be consumed to the end.

    Args:
        media_type: The answer's, in lower case, without parameters.
        exchange: Where it comes from, for error messages.
        table: What its rows are.
        window: Where their timestamps must lie, if they have any.
        quarantine: Whether bad rows are put aside (`Rows.bad`) instead of raised.

    Returns:
        The decoder; None for JSON, of which one must have all, and for formats that are not known.
    """
    checker = RowChecker(table, window, exchange, quarantine=quarantine)
    if media_type == ARROW:
        return ArrowDecoder(exchange, table, checker)
    return NdjsonDecoder(exchange, table, checker) if media_type in _NDJSON_NAMES else None


def can_be_streamed(media_type: str) -> bool:
    """Whether `stream_decoder` knows how to read an answer of this media type while it arrives."""
    return media_type == ARROW or media_type in _NDJSON_NAMES


def accept_of(media_type: str) -> str:
    """What to ask for, as the header ``Accept``, to get more of what came as this media type."""
    return media_type if can_be_streamed(media_type) else JSON


def is_json(media_type: str) -> bool:
    """Whether an answer of this media type may be a JSON envelope."""
    return media_type in _JSON_NAMES or media_type.endswith("+json")
