"""The fast reader of JSON gives the same rows as a JSON parser, or leaves the text to it."""

from __future__ import annotations

import json
import os
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.decoding_cases import ALWAYS, EXCHANGE, RATINGS, compact, envelope, ndjson, response, rows_of
from unit.odd_json import OddJson

from airflow_movielens.client.errors import BadResponseError, MovielensError
from airflow_movielens.client.parsing import fast_json, read_page
from airflow_movielens.client.parsing.json_text import NdjsonDecoder, parse_envelope, parse_lines, read_envelope
from airflow_movielens.client.parsing.row_checker import RowChecker
from airflow_movielens.client.settings import Tuning
from airflow_movielens.ratings.schema import MOVIES, USERS

ROWS = rows_of(40)
ARRAY = compact(ROWS)


def read_lines(text, exchange, table, checker):
    decoder = NdjsonDecoder(exchange, table, checker, Tuning())
    return next(iter([*decoder.feed(text), *decoder.finish()]), None)


def outcome(read, table, *, quarantine):
    """Return what a reader gives: all of the rows, or the error and its message."""
    try:
        found = read(RowChecker(table, ALWAYS, EXCHANGE, quarantine=quarantine))
    except MovielensError as error:
        return type(error), str(error)
    rows, total = found if isinstance(found, tuple) else (found, None)
    return rows and (rows.good.schema, rows.good.rows(), rows.first, rows.last, rows.bad, rows.count), total


def agree(body, table=RATINGS):
    for quarantine in (False, True):
        expected = outcome(lambda checker: parse_envelope(body, EXCHANGE, checker), table, quarantine=quarantine)
        for tuning in (Tuning(), Tuning(min_frame_rows=0)):
            read = partial(read_envelope, body, EXCHANGE, table, tuning=tuning)
            assert outcome(read, table, quarantine=quarantine) == expected


def agree_on_lines(text, table=RATINGS):
    # The end of a response is checked before, by the parser.
    text += b"\n"
    for quarantine in (False, True):
        found = outcome(lambda checker: read_lines(text, EXCHANGE, table, checker), table, quarantine=quarantine)
        assert found == outcome(lambda checker: parse_lines(text, EXCHANGE, checker), table, quarantine=quarantine)


FURTHER = [
    None,
    True,
    -1.5e-7,
    "",
    '},{"userId":1,"movieId":2,"rating":3.0,"timestamp":4}',
    'a "quote", a \\ backslash, a \n line feed',
    "Ünïcode ☃ 😀",
    [1, [2, {"userId": "nested"}], "]"],
    {"a": {}, "rating": "}"},
]


@pytest.mark.parametrize("keys", [list(ROWS[0]), ["movieId", "rating", "timestamp", "userId"]])
@pytest.mark.parametrize("further", [{}, *({"more": value} for value in FURTHER), {"a": 1, "b": [], "c": "x"}])
@pytest.mark.parametrize(
    "style",
    [{"separators": (",", ":")}, {}, {"indent": 2}, {"indent": "\t"}, {"separators": (" , ", " : ")}, {"ensure_ascii": False}],
)  # fmt: skip
def test_rows_are_read_fast_whatever_their_spaces_keys_and_further_values(keys, further, style):
    rows = [further | {key: row[key] for key in keys} for row in ROWS]
    for sent in ({"result": rows, "total": 7}, {"total": 7, "more": further, "result": rows, "other": [[]]}):
        columns, total = fast_json.read_envelope(json.dumps(sent, **style).encode(), RATINGS)
        frame = columns.frame()
        assert (frame.to_dicts(), frame.schema, total) == (ROWS, RATINGS.polars_schema(), 7)
    if "indent" not in style:
        lines = [json.dumps(row, **style).encode() for row in rows]
        for end in (b"\n", b"\r\n", b" \n", b"\n\n", b"\n \r\n "):
            for text in (end.join(lines), end.join(lines) + end):
                assert fast_json.read_lines(text, RATINGS).to_dicts() == ROWS


def test_rows_with_different_orders_and_further_keys_are_read_fast():
    names = list(ROWS[0])
    rows = [
        {"more": n} | {name: row[name] for name in names[n % 4 :] + names[: n % 4]} | {f"key {n}": "x"}
        if n % 3
        else row
        for n, row in enumerate(ROWS)
    ]
    assert fast_json.read_envelope(envelope(compact(rows)), RATINGS)[0].frame().to_dicts() == ROWS


def test_whole_stars_without_a_point_are_read_fast():
    assert fast_json.read_envelope(envelope(ARRAY.replace(b".0", b"")), RATINGS)[0].frame().to_dicts() == ROWS


def test_movies_users_and_no_rows_are_read_fast():
    movies = [
        {"movieId": 1, "title": 'Ö "x"\n', "year": None, "genres": "A|B"},
        {"movieId": 2, "title": None, "year": -3, "genres": None},
    ]
    users = [{"userId": n, "num_ratings": n * 2} for n in range(20)]
    for table, rows in ((MOVIES, movies), (USERS, users), (RATINGS, [])):
        columns, _ = fast_json.read_envelope(envelope(compact(rows)), table)
        frame = columns.frame()
        assert (frame.to_dicts(), frame.schema) == (rows, table.polars_schema())


UNUSUAL = [
    (b'"movieId":1444', b'"movieId":01444'),
    (b'"movieId":1444', b'"movieId":-1444'),
    (b'"movieId":1444', b'"movieId":-0'),
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
    (b'"movieId":1444', b'"movieId":2147483647'),
    (b'"movieId":1444', b'"movieId":2147483648'),
    (b'"movieId":1444', b'"movieId":99999999999999999999'),
    (b'"movieId":1444', b'"movieId":1444,"movieId":1445'),
    (b'"movieId":1444', b'"movieId":"x","movieId":1445'),
    (b'"movieId":1444', b'"movieId":1445,"movieId":"x"'),
    (b'"movieId":1444', b'"movieId":1444,"movie\\u0049d":1445'),
    (b'"movieId":1444', b'"movie\\u0049d":1444'),
    (b'"movieId":1444', b'"movie\\u0069d":1444'),
    (b'"movieId":1444', b'"MovieId":1444'),
    (b'"movieId":1444', b'"first":1444'),
    (b'"movieId":1444', b'"movieId"1444:'),
    (b'"movieId":1444', b'1444"movieId":'),
    (b'"movieId":1444', b'"movieId":144,4'),
    (b'"movieId":1444', b'"movieId":1444,"more":01'),
    (b'"movieId":1444', b'"movieId":1444,"more":1.'),
    (b'"movieId":1444', b'"movieId":1444,"more":NaN'),
    (b'"movieId":1444', b'"movieId":1444,"more":1e999'),
    (b'"movieId":1444', b'"movieId":1444,"more":nul'),
    (b'"movieId":1444', b'"movieId":1444,"more":[1,]'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\\x"'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\\u12"'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\\ud800"'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\xed\xa0\x80"'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\xff"'),
    (b'"movieId":1444', b'"movieId":1444,"mo\xffre":1'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\n"'),
    (b'"movieId":1444', b'"movieId":1444,"more":"\0"'),
    (b'"movieId":1444', b'"movieId":1444,"more":%b' % (b"9" * 4300)),
    (b'"movieId":1444', b'"movieId":1444,"more":%b' % (b"9" * 4301)),
    (b'"movieId":1444', b'"movieId":1444,"more":-%b' % (b"9" * 4301)),
    (b'"movieId":1444', b'"movieId":1444,"more":0.%b' % (b"9" * 4301)),
    (b'"movieId":1444', b'"movieId":1444,"more":%b' % (b"[" * 200 + b"]" * 200)),
    (b'"movieId":1444', b'"movieId":1444,"more":%b' % (b"[" * 9000 + b"]" * 9000)),
    (b'"rating":0.5', b'"rating":.5'),
    (b'"rating":0.5', b'"rating":5e-1'),
    (b'"rating":1.0', b'"rating":1.'),
    (b'"rating":1.0', b'"rating":1.00'),
    (b'"rating":1.0', b'"rating":10E-1'),
    (b'"rating":1.0', b'"rating":0.10'),
    (b'"rating":1.0', b'"rating":1.0000000001'),
    (b'"rating":1.0', b'"rating":1.00000000000000000000000000001'),
    (b'"rating":1.0', b'"rating":5.5'),
    (b'"rating":1.0', b'"rating":0.0'),
    (b'"rating":1.0', b'"rating":-1'),
    (b'"rating":1.0', b'"rating":1e999'),
    (b'"rating":1.0', b'"rating":true'),
    (b'"timestamp":7}', b'"timestamp":7}1'),
    (b'"timestamp":7}', b'"timestamp":7},'),
    (b'"timestamp":7}', b'"timestamp":7'),
    (b'"timestamp":7}', b'"timestamp":7,"userId":1}'),
    (b'"timestamp":7}', b'"timestamp":-7}'),
    (b'"timestamp":7}', b'"timestamp":253402300800}'),
    (b'},{', b'}{'),
    (b'},{', b'},{},{'),
    (b'},{', b'},null,{'),
    (b'},{', b'},[1,2,3.0,4],{'),
    (b'},{', b'},1{'),
    (b'},{', b'},1,{'),
    (b'},{', b'},  {'),
    (b'},{', b'},\x0b{'),
    (b'},{', b'},\xc2\xa0{'),
    (b'[{', b'[1{'),
    (b'}]', b'}1]'),
    (b'}]', b'},]'),
    (b'}]', b'}],[]'),
]  # fmt: skip


@pytest.mark.parametrize(("part", "instead"), UNUSUAL)
def test_unusual_rows_give_what_a_json_parser_gives(part, instead):
    assert part in ARRAY
    body = ARRAY.replace(part, instead, 1)
    agree(envelope(body))
    agree_on_lines(body[1:-1].replace(b"},{", b"}\n{"))


@pytest.mark.parametrize("instead", [b"1e", b"1E", b"0e", b"-", b"+", b"0"])
def test_rows_that_are_all_unusual_give_what_a_json_parser_gives(instead):
    agree(envelope(ARRAY.replace(b'"userId":', b'"userId":' + instead)))


@pytest.mark.parametrize(
    "body",
    [
        b'{"total":7,"result":%b}',
        b'{"links":["a"],"result":%b,"total":7}',
        b'{"note":"[","result":%b,"other":"]","total":7}',
        b'{"result":%b,"result":[],"total":7}',
        b'{"result":[],"result":%b}',
        b'{"result":%b,"result":5}',
        b'{"result":5,"result":%b}',
        b'{"res\\u0075lt":%b}',
        b'{"rows":%b,"result":[],"total":7}',
        b'{"rows":%b,"total":7}',
        b'{"data":{"result":%b},"total":7}',
        b'{"result":{"result":%b},"total":7}',
        b'{"result":"%b"}',
        b'{"result":null,"rows":%b}',
        b'[{"result":%b}]',
        b"%b",
        b'{"result":[%b]}',
        b'\xef\xbb\xbf{"result":%b,"total":null}',
        b'\x0c{"result":%b}',
        b' \r\n\t{"result":%b}\n\n',
        b'{"result":%b',
        b'{"result":%b}}',
        b'{"result":%b}\0',
        b'{"result":%b,}',
        b'{"result":%b,"total":NaN}',
        b'{"result":%b,"total":"7"}',
        b'{"result":%b,"total":7.0}',
        b'{"result":%b,"total":true}',
        b'{"result":%b,"total":-1}',
        b'{"result":%b,"total":1000000000000000000000}',
        b'{"result":%b,"total":"x","total":8}',
        b'{"result":%b,"total":[7]}',
    ],
)
def test_the_rows_are_found_wherever_the_envelope_has_them(body):
    agree(body % ARRAY)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_give_what_a_json_parser_gives(encoding):
    agree(envelope(ARRAY).decode().encode(encoding))


@pytest.mark.parametrize(
    "end", [b"\x0b\n", b"\x0c\n", b"\n\x0b", b"\n\x0b\n", b" \t\r\n", b"\n\xc2\xa0", b"\r", b",\n", b"\n\xef\xbb\xbf"]
)
def test_ends_of_lines_are_read_as_a_json_parser_reads_them(end):
    agree_on_lines(end.join(map(compact, ROWS)))


@pytest.mark.parametrize("row", [compact(ROWS[0])[:-1] + b',"more":[1\n2]}', compact(ROWS[0]).replace(b",", b"\n,", 1)])
def test_each_line_must_hold_exactly_one_row(row):
    one, two, three, four = map(compact, ROWS[1:5])
    for text in (
        row,
        one + two,
        one + b" " + two + b"\n" + row,
        one + b"," + two,
        one + two + b"\n" + three[:9] + b"\n" + three[9:] + b"\n" + four,
    ):
        agree_on_lines(text)
        with pytest.raises(BadResponseError, match="not NDJSON"):
            parse_lines(text, EXCHANGE, RowChecker(RATINGS, ALWAYS, EXCHANGE))


EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
fuzzed = settings(max_examples=EXAMPLES, derandomize="FUZZ_EXAMPLES" not in os.environ, deadline=None, database=None)
TABLES = st.sampled_from([RATINGS, MOVIES, USERS])
# These are seeded by Hypothesis. A strategy of hundreds of choices would take a hundred times as long.
RANDOM = st.randoms(use_true_random=True)


@pytest.mark.slow
@fuzzed
@given(RANDOM, TABLES)
def test_both_readers_agree_on_any_envelope(random, table):
    agree(OddJson(random, table).envelope(), table)


@pytest.mark.slow
@fuzzed
@given(RANDOM, TABLES)
def test_both_readers_agree_on_any_lines(random, table):
    agree_on_lines(OddJson(random, table).lines(), table)


@pytest.mark.slow
@fuzzed
@given(RANDOM)
def test_both_readers_agree_whatever_byte_is_changed(random):
    text = OddJson(random, RATINGS).damaged(ARRAY.decode())
    agree(envelope(text))
    agree_on_lines(text[1:-1].replace(b"},{", b"}\n{"))


def test_half_of_the_random_texts_are_read_fast():
    random = Random(1)
    tables = random.choices([RATINGS, MOVIES, USERS], k=1000)
    read = [fast_json.read_envelope(OddJson(random, table).envelope(), table) for table in tables]
    assert 400 < sum(frame is not None for frame in read) < 800
    read = [fast_json.read_lines(OddJson(random, table).lines(), table) for table in tables]
    assert 400 < sum(frame is not None for frame in read) < 800


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2, st.integers(1, 10), st.integers(0, 253_402_300_799)),
        min_size=1,
        max_size=30,
    )
)
def test_all_good_values_are_read_exactly(values):
    names = ["userId", "movieId", "rating", "timestamp"]
    rows = [dict(zip(names, (user, movie, half / 2, time), strict=True)) for user, movie, half, time in values]
    assert fast_json.read_envelope(envelope(compact(rows)), RATINGS)[0].frame().to_dicts() == rows
    assert fast_json.read_lines(ndjson(rows), RATINGS).to_dicts() == rows


def test_the_exchange_is_named():
    with pytest.raises(BadResponseError) as caught:
        read_page(response(b"{"), RATINGS, ALWAYS)
    assert caught.value.exchange == EXCHANGE
