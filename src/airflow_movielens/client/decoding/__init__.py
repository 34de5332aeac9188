"""From the bytes of an answer to rows that keep the contract."""

from airflow_movielens.client.decoding.formats import (
    ACCEPT,
    JSON,
    StreamDecoder,
    accept_of,
    can_be_streamed,
    stream_decoder,
)
from airflow_movielens.client.decoding.pages import may_be_cut, read_page, read_total

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
