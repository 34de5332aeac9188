"""Parsing: from the bytes of a response to rows that keep the contract.

- ``pages`` chooses the format by the media type, and reads a page with its total and its links (``Link``,
  ``Link-Template``).
- ``json_text`` reads JSON envelopes and NDJSON, and ``fast_json`` reads those without a bad row faster.
- ``arrow`` reads Arrow IPC streams.
- ``row_checker`` checks the rows of every format against the contract.
"""

from __future__ import annotations

from airflow_movielens.client.parsing.pages import (
    ACCEPT,
    JSON,
    StreamDecoder,
    accept_of,
    can_be_streamed,
    may_be_cut,
    read_page,
    read_snapshot,
    read_total,
    stream_decoder,
)

__all__ = [
    "ACCEPT",
    "JSON",
    "StreamDecoder",
    "accept_of",
    "can_be_streamed",
    "may_be_cut",
    "read_page",
    "read_snapshot",
    "read_total",
    "stream_decoder",
]
