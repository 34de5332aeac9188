"""The fast reader of JSON gives the same rows as a JSON parser, or leaves the text to it."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.decoding_cases import ALWAYS, EXCHANGE, RATINGS, compact, envelope, ndjson, response, rows_of

from airflow_movielens.client.errors import BadResponseError, BadRowsError
from airflow_movielens.client.parsing import fast_json, read_page
from airflow_movielens.client.parsing.pages import NDJSON
from airflow_movielens.client.settings import Tuning

ROWS = rows_of(40)
ARRAY = compact(ROWS)
read_uniform = partial(fast_json.read_uniform, min_bytes=1)


def outcome(body, media_type="application/json", *, fast):
    tuning = Tuning(min_fast_json_bytes=1 if fast else 1 << 60)
    try:
        page = read_page(response(body, media_type), RATINGS, ALWAYS, tuning=tuning)
    except BadRowsError as error:
        return str(error.bad_rows[0])
    except BadResponseError:
        return "unreadable"
    return page.rows.good.rows(), page.rows.first, page.rows.last, page.total


def with_plain_numbers(body):
    """JSON knows no numbers such as ``007``, ``.5`` and ``4.``."""
    body = re.sub(rb"(?<![0-9.])0+(?=[0-9])", b"", body)
    return re.sub(rb"\.(?![0-9])", b".0", re.sub(rb"(?<![0-9])\.", b"0.", body))


def agree(body, media_type="application/json"):
    found = outcome(body, media_type, fast=True)
    if found != outcome(body, media_type, fast=False):
        assert found == outcome(with_plain_numbers(body), media_type, fast=False)


@pytest.mark.parametrize(
    "keys", [["userId", "movieId", "rating", "timestamp"], ["movieId", "rating", "timestamp", "userId"]]
)
def test_compact_rows_are_read_fast_whatever_the_order_of_keys(keys):
    rows = [{key: row[key] for key in keys} for row in ROWS]
    for text, between in ((compact(rows)[1:-1], b","), (ndjson(rows)[:-1], b"\n")):
        assert read_uniform(text, RATINGS, between).select(list(ROWS[0])).to_dicts() == ROWS


def test_whole_stars_without_a_point_are_read_fast():
    assert read_uniform(ARRAY.replace(b".0", b"")[1:-1], RATINGS, b",").to_dicts() == ROWS


UNUSUAL = [
    (b'"movieId":1444', b'"movieId":01444'),
    (b'"movieId":1444', b'"movieId":-1444'),
    (b'"movieId":1444', b'"movieId":1444.0'),
    (b'"movieId":1444', b'"movieId":14.44'),
    (b'"movieId":1444', b'"movieId":1444.'),
    (b'"movieId":1444', b'"movieId":1e3'),
    (b'"movieId":1444', b'"movieId":1-444'),
    (b'"movieId":1444', b'"movieId":14 44'),
    (b'"movieId":1444', b'"movieId":'),
    (b'"movieId":1444', b'"movieId":-'),
    (b'"movieId":1444', b'"movieId":"1444"'),
    (b'"movieId":1444', b'"movieId":null'),
    (b'"movieId":1444', b'"movieId":NaN'),
    (b'"movieId":1444', b'"movieId":99999999999'),
    (b'"movieId":1444', b'"movieId":1444,"movieId":1445'),
    (b'"movieId":1444', b'"movieId"1444:'),
    (b'"movieId":1444', b'1444"movieId":'),
    (b'"movieId":1444', b'"mov1444ieId":'),
    (b'"movieId":1444', b'"mov1ieId":444'),
    (b'"movieId":1444', b'"movieId":144,4'),
    (b'"movieId":1444', b'"movieId":1444,"more":1'),
    (b'"rating":0.5', b'"rating":.5'),
    (b'"rating":1.0', b'"rating":1.'),
    (b'"rating":1.0', b'"rating":1.00'),
    (b'"rating":1.0', b'"rating":0.10'),
    (b'"rating":1.0', b'"rating":1.0000000001'),
    (b'"rating":1.0', b'"rating":5.5'),
    (b'"rating":1.0', b'"rating":0.0'),
    (b'"rating":1.0', b'"rating":true'),
    (b'"timestamp":7}', b'"timestamp":7}1'),
    (b'"timestamp":7}', b'"timestamp":7},'),
    (b'"timestamp":7}', b'"timestamp":7'),
    (b'"timestamp":7}', b'"timestamp":7,"userId":1}'),
    (b'},{', b'}{'),
    (b'},{', b'},{},{'),
    (b'},{', b'},1{'),
    (b'},{', b'},1,{'),
    (b'},{', b'},  {'),
    (b'[{', b'[1{'),
    (b'}]', b'}1]'),
    (b'}]', b'},]'),
    (b'}]', b'}],[]'),
    (b':', b': '),
]  # fmt: skip


@pytest.mark.parametrize(("part", "instead"), UNUSUAL)
def test_unusual_rows_are_left_to_the_json_parser(part, instead):
    assert part in ARRAY
    body = ARRAY.replace(part, instead, 1)
    agree(envelope(body))
    agree(body[1:-1].replace(b"},{", b"}\n{"), NDJSON)


@pytest.mark.parametrize("instead", [b"1e", b"1E", b"0e", b"-", b"+"])
def test_rows_that_are_all_unusual_are_left_to_the_json_parser(instead):
    agree(envelope(ARRAY.replace(b'"userId":', b'"userId":' + instead)))


@pytest.mark.parametrize(
    "body",
    [
        b'{"total":7,"result":%b}',
        b'{"links":["a"],"result":%b,"total":7}',
        b'{"result":%b,"links":["a"],"total":7}',
        b'{"note":"[","result":%b,"total":7}',
        b'{"note":"[","result":%b,"other":"]","total":7}',
        b'{"result":%b,"note":"]","total":7}',
        b'{"note":"[]","result":%b,"total":7}',
        b'{"result":%b,"result":[],"total":7}',
        b'{"rows":%b,"result":[],"total":7}',
        b'{"rows":%b,"total":7}',
        b'{"data":{"result":%b},"total":7}',
        b'{"result":{"result":%b},"total":7}',
        b'{"result":"%b"}',
        b'{"result":%b,"result":5}',
        b'[{"result":%b}]',
        b"%b",
        b'{"result":[%b]}',
        b'\xef\xbb\xbf{"result":%b,"total":null}',
        b'{"result":%b',
        b'{"result":%b}}',
        b'{"result":%b,"total":NaN}',
    ],
)
def test_the_rows_are_found_wherever_the_envelope_has_them(body):
    agree(body % ARRAY)


BYTES = st.sampled_from(
    [bytes([byte]) for byte in b'0123456789.-+eE ,:{}[]"\n\tauI\\'] + [b"\xff", b"\0", b"},{", b"null"]
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(0, len(ARRAY)), removed=st.integers(0, 3), put=BYTES | st.just(b""), is_json=st.booleans())
def test_both_parsers_agree_whatever_byte_is_changed(place, removed, put, is_json):
    text = ARRAY[:place] + put + ARRAY[place + removed :]
    agree(envelope(text)) if is_json else agree(text[1:-1].replace(b"},{", b"}\n{"), NDJSON)


VALUES = (
    st.none() | st.booleans() | st.integers(-3, 2**33) | st.integers() | st.floats() | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2) | st.sampled_from([0.5, 5, 5.5, 1e300])
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(st.tuples(st.integers(0, 39), st.sampled_from([*ROWS[0], "more"]), VALUES), max_size=3),
    removed=st.sets(st.integers(0, 39), max_size=3),
)
def test_both_parsers_agree_whatever_value_is_changed(changes, removed):
    rows = [dict(row) for row in ROWS]
    for number, column, value in changes:
        rows[number][column] = value
    agree(envelope(json.dumps([row for n, row in enumerate(rows) if n not in removed], separators=(",", ":")).encode()))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 2**31 - 1)] * 2, st.integers(1, 10), st.integers(0, 2**62)), min_size=1, max_size=30
    )
)
def test_all_good_values_are_read_exactly(values):
    names = ["userId", "movieId", "rating", "timestamp"]
    rows = [dict(zip(names, (user, movie, half / 2, time), strict=True)) for user, movie, half, time in values]
    assert read_uniform(compact(rows)[1:-1], RATINGS, b",").to_dicts() == rows


def test_the_exchange_is_named():
    with pytest.raises(BadResponseError) as caught:
        read_page(response(b"{"), RATINGS, ALWAYS)
    assert caught.value.exchange == EXCHANGE
