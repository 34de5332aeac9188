"""Responses read while they arrive: cut anywhere, damaged in any way, checked from the first row to the last."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from functools import partial
from io import BytesIO

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.decoding_cases import ALWAYS, EXCHANGE, RATINGS, arrow, ndjson, response, rows_of

from airflow_movielens.client import parsing
from airflow_movielens.client.errors import BadResponseError, BadRowsError
from airflow_movielens.client.parsing.pages import ARROW, NDJSON
from airflow_movielens.client.parsing.row_checker import join
from airflow_movielens.client.settings import Tuning

ROWS = rows_of(60)
WRITERS = {ARROW: arrow, NDJSON: ndjson}


SMALL = Tuning(arrow_rows=15, ndjson_bytes=700)
stream_decoder = partial(parsing.stream_decoder, tuning=SMALL)
read_page = partial(parsing.read_page, tuning=SMALL)


def pieces(body, media_type, size=64, **options):
    decoder = stream_decoder(media_type, EXCHANGE, RATINGS, ALWAYS, **options)
    read = []
    for start in range(0, len(body), size):
        read += decoder.feed(body[start : start + size])
    return [*read, *decoder.finish()]


@pytest.mark.parametrize("media_type", WRITERS)
@pytest.mark.parametrize("size", [1, 7, 64, 1000, 1 << 20])
def test_chunks_cut_anywhere_give_all_rows_once(media_type, size):
    read = pieces(WRITERS[media_type](ROWS), media_type, size)
    assert join(read).good.to_dicts() == ROWS
    assert len(read) > 2 or size > 1000
    assert join(read).first == tuple(ROWS[0].values())
    assert join(read).last == tuple(ROWS[-1].values())
    assert join(read).count == 60


@pytest.mark.parametrize("media_type", WRITERS)
def test_a_stream_without_rows_gives_no_pieces(media_type):
    assert pieces(WRITERS[media_type]([]), media_type) == []
    page = read_page(response(WRITERS[media_type]([]), media_type), RATINGS, ALWAYS)
    assert (page.rows.count, page.rows.first, page.rows.good.schema) == (0, None, RATINGS.polars_schema())


@pytest.mark.parametrize("media_type", WRITERS)
@pytest.mark.parametrize("size", [5, 1 << 20])
def test_rows_are_numbered_from_the_start_of_the_stream(media_type, size):
    rows = [*ROWS[:47], ROWS[47] | {"rating": 3.7}, *ROWS[48:]]
    with pytest.raises(BadRowsError, match=r"bad ratings from the API: row 47, column 'rating': found 3\.7"):
        pieces(WRITERS[media_type](rows), media_type, size)


@pytest.mark.parametrize("media_type", WRITERS)
@pytest.mark.parametrize("place", [20, 37, 40, 59])
def test_order_is_checked_from_piece_to_piece(media_type, place):
    again = [*ROWS[:place], ROWS[place - 1], *ROWS[place:]]
    with pytest.raises(BadRowsError, match=f"row {place}: .*is the same row again"):
        pieces(WRITERS[media_type](again), media_type)
    swapped = (
        [*ROWS[: place - 1], ROWS[place], ROWS[place - 1], *ROWS[place + 1 :]] if place < 59 else ROWS[1:] + ROWS[:1]
    )
    with pytest.raises(BadRowsError, match="expected rising order"):
        pieces(WRITERS[media_type](swapped), media_type)


@pytest.mark.parametrize("media_type", WRITERS)
def test_bad_rows_are_set_aside_and_good_ones_are_kept(media_type):
    rows = [*ROWS[:20], ROWS[19], *ROWS[20:30], ROWS[30] | {"rating": 9.0}, *ROWS[31:], ROWS[59]]
    read = join(pieces(WRITERS[media_type](rows), media_type, quarantine=True))
    assert read.good.to_dicts() == ROWS[:30] + ROWS[31:]
    assert [(bad.number, bad.column) for bad in read.bad] == [(20, ""), (31, "rating"), (61, "")]
    assert [bad.row for bad in read.bad] == [ROWS[19], ROWS[30] | {"rating": 9.0}, ROWS[59]]
    assert (read.count, read.last) == (62, tuple(ROWS[59].values()))


@pytest.mark.parametrize("cut", range(1, 700, 13))
def test_an_arrow_stream_that_breaks_off_is_never_complete(cut):
    with pytest.raises(BadResponseError, match="broke off"):
        pieces(arrow(ROWS)[:-cut], ARROW)


def test_a_last_line_needs_no_line_feed_but_its_end():
    assert join(pieces(ndjson(ROWS)[:-1], NDJSON)).good.to_dicts() == ROWS
    with pytest.raises(BadResponseError, match="broke off in the middle of a line"):
        pieces(ndjson(ROWS)[:-2], NDJSON)


def test_empty_lines_carriage_returns_spaces_and_a_byte_order_mark_are_tolerated():
    text = b"\xef\xbb\xbf" + ndjson(ROWS).replace(b"\n", b"\r\n\r\n", 20).replace(b":", b": ", 9)
    assert join(pieces(text, NDJSON)).good.to_dicts() == ROWS


@pytest.mark.parametrize("line", [b"{", b"1,2", b'{"a":1} {}', b"NaN", b"<html>", b"\xff", b"[" * 100_000])
def test_a_line_that_is_not_json_is_a_bad_response(line):
    with pytest.raises(BadResponseError, match="the API's response is not NDJSON"):
        pieces(ndjson(ROWS[:9]) + line + b"\n" + ndjson(ROWS[9:]), NDJSON)


@pytest.mark.parametrize("line", [b"null", b"7", b"[]", b"{}"])
def test_a_line_that_is_not_a_row_is_a_bad_row(line):
    with pytest.raises(BadRowsError, match="row 9"):
        pieces(ndjson(ROWS[:9]) + line + b"\n" + ndjson(ROWS[9:]), NDJSON)


def test_an_endless_line_is_refused():
    decoder = stream_decoder(NDJSON, EXCHANGE, RATINGS, ALWAYS, tuning=replace(SMALL, max_line_bytes=5000))
    with pytest.raises(BadResponseError, match="a line of more than 5000 bytes"):
        for _ in range(100):
            list(decoder.feed(b" " * 100))


def frame(**changes):
    return pl.DataFrame(ROWS, schema=RATINGS.polars_schema()).with_columns(**changes)


@pytest.mark.parametrize(
    "sent",
    [
        frame().select("timestamp", "rating", "movieId", "userId"),
        frame(more=pl.lit("x"), other=pl.lit(None)),
        frame(userId=pl.col("userId").cast(pl.Int64), movieId=pl.col("movieId").cast(pl.UInt16)),
        frame(timestamp=pl.col("timestamp").cast(pl.UInt64), rating=pl.col("rating").cast(pl.Float64)),
    ],
)
def test_columns_in_any_order_more_columns_and_wider_types_are_read_if_exact(sent):
    assert join(pieces(arrow(sent), ARROW)).good.equals(frame())


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (frame(userId=pl.col("userId").cast(pl.Int64) + 2**40), "'userId': found 1099511627776, expected a whole number"),
        (frame(timestamp=pl.lit(2**64 - 1, pl.UInt64)), "'timestamp': found 18446744073709551615"),
        (frame(rating=pl.lit(0.5 + 1e-12)), "'rating': found 0.500000000001"),
        (frame(rating=pl.lit(float("nan"), pl.Float32)), "'rating': found nan"),
        (frame(rating=pl.lit(float("inf"), pl.Float32)), "'rating': found inf"),
        (frame(rating=pl.lit(133, pl.UInt8)), "'rating': found 133"),
        (frame(rating=pl.lit("4.0")), "'rating': found '4.0'"),
        (frame(rating=pl.lit(None, pl.Float32)), "'rating': found None"),
        (frame(userId=pl.col("userId").cast(pl.Float64)), "'userId': found 0.0"),
        (frame(userId=pl.lit(value=True)), "'userId': found True"),
        (frame(timestamp=pl.lit(0).cast(pl.Datetime)), "'timestamp': found datetime"),
    ],
)  # fmt: skip
def test_values_that_are_not_exact_are_bad_rows(sent, found):
    with pytest.raises(BadRowsError) as caught:
        pieces(arrow(sent), ARROW)
    assert found in str(caught.value)
    put_aside = join(pieces(arrow(sent), ARROW, quarantine=True))
    assert len(put_aside.bad) + len(put_aside.good) == 60
    assert json.dumps([bad.row for bad in put_aside.bad] + [put_aside.first], allow_nan=False)


def test_missing_columns_are_named():
    with pytest.raises(BadResponseError, match="lacks the columns rating, timestamp of ratings"):
        pieces(arrow(frame().select("userId", "movieId")), ARROW)


def compressed():
    written = BytesIO()
    frame().write_ipc_stream(written, compression="zstd")
    return written.getvalue()


def test_data_that_would_grow_when_read_is_refused():
    with pytest.raises(BadResponseError, match="compressed"):
        pieces(compressed(), ARROW)
    with pytest.raises(BadResponseError, match="dictionaries"):
        pieces(arrow(frame(more=pl.lit("x").cast(pl.Categorical)), 100), ARROW)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xff\xff\xff\0\0\0\0", arrow(ROWS) + b"\0", arrow(ROWS) + arrow(ROWS), b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(99),
     b"<html>busy</html>", b"\xff\xff\xff\xff\x10\0\0\0" + b"\xff" * 16, b"\xff\xff\xff\xff\x10\0\0\0" + bytes(16), bytes(500), b'{"result": []}'],
)  # fmt: skip
@pytest.mark.parametrize("size", [3, 1 << 20])
def test_anything_but_an_arrow_stream_is_a_bad_response(body, size):
    with pytest.raises(BadResponseError):
        pieces(body, ARROW, size)


def test_a_batch_that_claims_more_rows_than_bytes_is_refused():
    body = bytearray(arrow(frame().head(5), 5))
    # The length of the record batch, and of its columns.
    claims = [at for at in range(len(body) - 8) if body[at : at + 8] == struct.pack("<q", 5)]
    assert claims
    for at in claims:
        damaged = body[:at] + struct.pack("<q", 2**40) + body[at + 8 :]
        with pytest.raises(BadResponseError):
            pieces(bytes(damaged), ARROW)


def test_columns_without_bytes_cannot_claim_rows():
    with pytest.raises(BadResponseError, match="a record batch of 0 bytes claims to have 60 rows"):
        pieces(arrow(pl.DataFrame({name: [None] * 60 for name in ROWS[0]}), 100), ARROW)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data(), size=st.sampled_from([11, 1 << 20]))
def test_damage_anywhere_is_an_error_or_other_values_and_never_a_crash(data, size):
    body = bytearray(arrow(ROWS))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    try:
        read = pieces(bytes(body), ARROW, size)
    except BadResponseError:
        return
    for piece in read:
        assert piece.good.schema == RATINGS.polars_schema()
        assert set(piece.good["rating"]) <= {n / 2 for n in range(1, 11)}
        assert piece.good["timestamp"].is_sorted()


def test_a_record_batch_that_is_too_large_for_its_rows_is_refused():
    sent = arrow(frame(more=pl.Series([f"{number:2}" * 20_000 for number in range(len(ROWS))])), len(ROWS))
    with pytest.raises(BadResponseError, match=rf"a record batch of only {len(ROWS)} rows has \d+ bytes"):
        pieces(sent, ARROW, 100_000)
