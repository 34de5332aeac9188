"""The formats of /ratings, selected by Accept: page by page, or a whole window at once."""

from __future__ import annotations

import tracemalloc
from io import BytesIO

import polars as pl
import pytest
from api_testing import Api, Model
from formats_testing import ARROW, COLUMNS, CSV, NDJSON, PARQUET, READERS

from movielens_api.formats import FORMATS, ROWS_PER_CHUNK
from movielens_api.http.negotiation import coding, media_type

every_format = pytest.mark.parametrize("name", READERS)


@every_format
@pytest.mark.parametrize("query", ["limit=7&offset=3", "start_date=2015-01-01&end_date=2015-01-02", "limit=0",
                                   "start_date=2015-01-01&end_date=2015-01-01", "limit=10000", ""])  # fmt: skip
def test_rows_are_those_of_json_without_an_envelope(api: Api, model: Model, name: str, query: str) -> None:
    response = api.ask(f"/ratings?{query}", accept=name)
    assert response.headers["content-type"] == name
    expected = api.ask(f"/ratings?{query}")
    rows = READERS[name](response.content)
    assert rows == (expected.json()["result"] if query else model.rows)
    assert all(list(row) == COLUMNS for row in rows)
    assert response.headers["x-total-count"] == str(expected.json()["total"])


@every_format
def test_without_limit_the_whole_window_comes_at_once(api: Api, model: Model, name: str) -> None:
    response = api.ask("/ratings?offset=2", accept=name)
    assert READERS[name](response.content) == model.rows[2:]
    assert "link" not in response.headers
    assert len(model.rows) > ROWS_PER_CHUNK, "the sample needs more than one chunk to prove anything"


@every_format
def test_with_a_limit_links_keep_the_format(api: Api, model: Model, name: str) -> None:
    responses = list(api.pages("/ratings?start_date=2016-01-01&end_date=2016-03-01&limit=100", accept=name))
    assert len(responses) > 2
    rows = [row for response in responses for row in READERS[name](response.content)]
    assert rows == model.window("2016-01-01", "2016-03-01")


def test_csv_is_as_grouplens_writes_it(api: Api) -> None:
    lines = api.ask("/ratings?start_date=2015-01-01&end_date=2015-01-02", accept=CSV).text
    assert lines == "userId,movieId,rating,timestamp\n547,111622,4.0,1420131595\n624,105954,3.0,1420150263\n"


@pytest.mark.parametrize("limit", ["10001", "-1", "x"])
def test_a_limit_is_held_to_the_maximum_in_every_format(api: Api, limit: str) -> None:
    assert api.ask(f"/ratings?limit={limit}", accept=CSV).status_code == 422


@pytest.mark.parametrize("name", [NDJSON, CSV, ARROW])
def test_a_stream_holds_no_more_than_a_few_chunks(name: str) -> None:
    many = 40 * ROWS_PER_CHUNK
    rows = pl.select(
        movieId=pl.int_range(many, dtype=pl.Int32),
        rating=pl.lit(4.0, pl.Float32),
        timestamp=pl.int_range(many),
        userId=pl.lit(1, pl.Int32),
    )
    tracemalloc.start()
    chunks = (rows.slice(start, ROWS_PER_CHUNK) for start in range(0, many, ROWS_PER_CHUNK))
    sizes = [len(chunk) for chunk in FORMATS[name].stream(chunks)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sizes) >= 40
    assert peak < 6 * max(sizes) < sum(sizes)


def test_an_arrow_stream_has_a_batch_per_chunk(api: Api, model: Model) -> None:
    body = api.ask("/ratings", accept=ARROW).content
    assert body.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    assert pl.read_ipc_stream(BytesIO(body)).n_chunks() == -(-len(model.rows) // ROWS_PER_CHUNK)


OFFERED = ("application/json", NDJSON, CSV, ARROW, PARQUET)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("application/*", "application/json"),
        ("text/*", CSV),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        (" text/csv ; charset=utf-8 ; q=0.9 ", CSV),
        ("text/csv;q=0.5, application/x-ndjson;q=0.8", NDJSON),
        ("text/csv, application/x-ndjson", NDJSON),
        ("application/*;q=0.2, text/csv;q=0.3", CSV),
        ("*/*, application/json;q=0", NDJSON),
        ("*/*;q=0.1, application/vnd.apache.parquet;q=0.11", PARQUET),
        ("application/*;q=0.9, application/json;q=0.1, application/x-ndjson;q=0", ARROW),
        (f"{ARROW},application/json;q=0.9", ARROW),
        ("text/html", None),
        ("text/csv;q=0", None),
        ("text/csv;q=0.000", None),
        ("text/csv;q=2", None),
        ("text/csv;q=", None),
        ("text/csv;q=nan", None),
        ("csv", None),
        (";;,=", None),
        (",,text/csv,", CSV),
        # RFC 9110, 12.4.2: weight = OWS ";" OWS "q=" qvalue
        *(
            (f"text/csv{weight}", None)
            for weight in (";q = 1", ";q =1", ";q= 1", ";q", ';q="1"', ";q=.5", ";q=1;q=0.5")
        ),
        *(
            (f"text/csv{weight}", CSV)
            for weight in ("\t;\tq=1", " ; Q=1.000", ";q=1.", ";q=0.001", ";quality=0", ";;q=1")
        ),
        ("text/csv, text/csv;q=0", None),
        ("text/csv;q=0, text/csv", None),
        ('text/csv;a="x,y";q=0, */*;q=0.1', "application/json"),
        ('text/csv;a="\\";q=0"', CSV),
        ('text/csv;a="not ended;q=0', None),
    ],
)
def test_the_choice_of_a_format(accept: str, chosen: str | None) -> None:
    assert media_type(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "identity"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip;q=0", "identity"),
        ("br", "identity"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("*;q=0", "identity"),
        ("identity;q=0", "identity"),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("gzip;q = 0", "identity"),
        ("gzip, gzip;q=0", "identity"),
        ("gzip;q=0, gzip", "identity"),
    ],
)
def test_the_choice_of_a_coding(accept: str, chosen: str) -> None:
    assert coding(accept, ("zstd", "gzip")) == chosen
