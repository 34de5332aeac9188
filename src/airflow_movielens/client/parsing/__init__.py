"""From the bytes of an answer to rows that keep the contract."""

from __future__ import annotations

from airflow_movielens.client.parsing.pages import (
    ACCEPT,
    JSON,
    StreamDecoder,
    accept_of,
    can_be_streamed,
    may_be_cut,
    read_page,
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
    "read_total",
    "stream_decoder",
]
