"""Pages: totals, links and snapshot; which responses are pages at all; and bad rows set aside."""

from __future__ import annotations

import json

import pytest
from unit.decoding_cases import ALWAYS, RATINGS, URL, arrow, compact, envelope, ndjson, response, rows_of

from airflow_movielens.client.errors import BadResponseError, BadRowsError, DataError, FatalError
from airflow_movielens.client.parsing import read_page, read_total
from airflow_movielens.client.parsing.pages import ARROW, NDJSON
from airflow_movielens.client.window import Window
from airflow_movielens.ratings.schema import MOVIES, USERS

ROWS = rows_of(12)
DAY = 86_400


def page_of(body, media_type="application/json", **headers):
    return read_page(response(body, media_type, **headers), RATINGS, ALWAYS)


def linked(**headers):
    return page_of(envelope(b"[]"), **headers)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(envelope(compact(ROWS)), "application/json"), (ndjson(ROWS), NDJSON), (arrow(ROWS), ARROW)],
)
def test_a_page_is_the_same_in_every_format(body, media_type):
    page = page_of(body, media_type, X_Total_Count="7", Snapshot="s1")
    assert page.rows.good.to_dicts() == ROWS
    assert (page.total, page.snapshot, page.media_type) == (7, "s1", media_type)
    assert (page.rows.count, page.rows.first, page.rows.last) == (12, tuple(ROWS[0].values()), tuple(ROWS[-1].values()))


def test_a_page_of_many_rows_is_read_too():
    rows = rows_of(5000)
    assert page_of(envelope(compact(rows))).rows.good.to_dicts() == rows


@pytest.mark.parametrize(
    "media_type",
    ["", "application/json", "text/json", "text/plain", "application/octet-stream", "application/hal+json"],
)
def test_json_is_accepted_under_its_media_types_and_without_one(media_type):
    assert page_of(envelope(compact(ROWS)), media_type).rows.count == 12


@pytest.mark.parametrize("media_type", ["text/html", "text/csv", "image/png", "application/vnd.apache.parquet"])
def test_another_media_type_is_a_bad_response_that_quotes_its_start(media_type):
    with pytest.raises(BadResponseError, match=f"the API's response is {media_type}.*'<html> Please log in"):
        page_of(b"<html>\n  Please log in" + b"." * 10_000, media_type)


def test_an_error_shows_no_more_than_the_start_of_a_very_long_header():
    with pytest.raises(BadResponseError) as caught:
        page_of(b"<html>", "x" * 60_000)
    assert 2_000 < len(str(caught.value)) < 2_200


@pytest.mark.parametrize(
    "headers", [{"Link": '</{}>; rel="next"'}, {"Link_Template": '"/?{}{{&offset,limit}}"; rel="section"'}]
)
def test_a_very_long_link_is_refused(headers):
    ((name, value),) = headers.items()
    linked(**{name: value.format("x" * 7_000)})
    with pytest.raises(FatalError, match=r"an address that cannot be read \(it has 9,00\d characters, at most 8,000"):
        linked(**{name: value.format("x" * 9_000)})


@pytest.mark.parametrize(
    ("total", "header", "expected"),
    [(b"7", "7", 7), (b"7", None, 7), (b"null", "8", 8), (b"null", None, None), (b"0", "0", 0)],
)
def test_the_total_is_in_the_envelope_or_the_header(total, header, expected):
    sent = response(b'{"result":[],"total":%b}' % total, **({} if header is None else {"X_Total_Count": header}))
    assert read_page(sent, RATINGS, ALWAYS).total == expected
    assert read_total(sent) == expected


def test_totals_that_disagree_are_a_bad_response():
    sent = response(b'{"result":[],"total":7}', X_Total_Count="8")
    for read in (lambda: read_page(sent, RATINGS, ALWAYS), lambda: read_total(sent)):
        with pytest.raises(BadResponseError, match=r"total|X-Total-Count"):
            read()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<?cursor=a>; rel="next"', "http://api.test:5000/v1/ratings?cursor=a"),
        ("<?cursor=a>;rel=next", "http://api.test:5000/v1/ratings?cursor=a"),
        ("<more?page=2> ; REL = Next", "http://api.test:5000/v1/more?page=2"),
        ("</v1/ratings?p=2#top>; rel=next", "http://api.test:5000/v1/ratings?p=2"),
        ("<http://api.test:5000/x>; rel=next", "http://api.test:5000/x"),
        ("<http://user:pw@api.test:5000/x>; rel=next", "http://api.test:5000/x"),
        ("<http://API.test:5000/x>; rel=next", "http://api.test:5000/x"),
        (
            '<?a,b;c>; title="a, <?x>; rel=\\"next\\""; rel="prev", <?d>; rel="last next"',
            "http://api.test:5000/v1/ratings?d",
        ),
        ('</first>; rel="first", <?c>; foo; rel="next"; rel="prev"', "http://api.test:5000/v1/ratings?c"),
        ("<?c>; rel=next, <http://evil.test/>; rel=prev", "http://api.test:5000/v1/ratings?c"),
        ('<?c>; rel="prev"; rel="next"', None),
        ('<?c>; rel="next"; anchor="#foo"', None),
        ("<?c>; rel=nextish", None),
        ("<?c>", None),
        ("?c; rel=next", None),
        ("<?c; rel=next", None),
        ("", None),
    ],
)
def test_the_next_page_is_where_the_link_leads(header, expected):
    assert linked(Link=header).next_url == expected


@pytest.mark.parametrize(
    "target",
    ["http://evil.test/", "//evil.test/x", "https://api.test:5000/x", "http://api.test:5001/x", "http://api.test/x",
     "ftp://api.test:5000/", "http://[bad", "file:///etc/passwd", "http://api.test:5000@evil.test/"],
)  # fmt: skip
def test_a_link_to_another_host_is_fatal(target):
    with pytest.raises(FatalError) as caught:
        linked(Link=f"<{target}>; rel=next")
    assert "pw" not in str(caught.value).replace("passwd", "")
    with pytest.raises(FatalError):
        linked(Link_Template=f'"{target}?a=1{{&offset,limit}}"; rel="section"')


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"?cursor=T-_1{&offset,limit}"; rel="section"', "http://api.test:5000/v1/ratings?cursor=T-_1"),
        ('"/x{#a}"; rel="other", "?c=T{&offset,limit}"; rel=section', "http://api.test:5000/v1/ratings?c=T"),
        ('"?cursor=T{&limit,offset}"; rel="section"', None),
        ('"?cursor={token}{&offset,limit}"; rel="section"', None),
        ('"/ratings{&offset,limit}"; rel="section"', None),
        ('"?cursor=T"; rel="section"', None),
        ('"?cursor=T{&offset,limit}"; rel="next"', None),
        ('"?cursor=T{&offset,limit}', None),
        ("nonsense", None),
    ],
)
def test_a_section_url_is_made_from_its_template(header, expected):
    assert linked(Link_Template=header).section_url == expected


@pytest.mark.parametrize(
    "header", ["<" * 60_000, '"\\' * 30_000, "<a>;" * 15_000, "<a>; a=" + " " * 60_000, "," * 60_000]
)
def test_no_header_takes_long_to_read(header):
    assert linked(Link=header).next_url is None


def bad_rows(rows, window=ALWAYS):
    sent = response(envelope(json.dumps(rows).encode()))
    with pytest.raises(BadRowsError) as caught:
        read_page(sent, RATINGS, window)
    page = read_page(sent, RATINGS, window, quarantine=True)
    assert caught.value.bad_rows[0] == page.rows.bad[0]
    assert str(caught.value.bad_rows[0]) in str(caught.value)
    assert page.rows.bad[0].url == URL
    assert len(page.rows.good) + len(page.rows.bad) == page.rows.count == len(rows)
    return page.rows


def test_all_bad_rows_are_set_aside_as_they_were_sent():
    last = ROWS[-1]
    rows = [None, *ROWS[:3], ROWS[3] | {"rating": "4", "more": [1]}, {"userId": 1}, *ROWS[4:], float("1e3"), last]
    read = bad_rows(rows)
    assert [bad.number for bad in read.bad] == [0, 4, 5, 14, 15]
    assert [bad.row for bad in read.bad] == [None, rows[4], {"userId": 1}, 1000.0, last]
    assert read.good.to_dicts() == ROWS[:3] + ROWS[4:]
    assert (read.first, read.last) == ((None,), tuple(last.values()))


def test_a_bad_row_does_not_make_the_next_one_disordered():
    high = ROWS[2] | {"timestamp": 10**9, "rating": 7}
    assert [bad.number for bad in bad_rows([*ROWS[:2], high, *ROWS[3:]]).bad] == [2]


@pytest.mark.parametrize("quarantine", [True, False])
@pytest.mark.parametrize(
    ("timestamp", "advice"),
    [
        (DAY - 1, "do not seem to be UTC days: set time_zone"),
        (2 * DAY, "do not seem to be UTC days: set time_zone"),
        (DAY * 1000, "not Unix seconds"),
        (-5 * DAY, "ignores start_date and end_date"),
    ],
)
def test_a_row_outside_the_window_makes_the_whole_response_wrong(timestamp, advice, quarantine):
    window = Window.of("1970-01-02", "1970-01-03")
    for rest in ({}, {"rating": "bad as well"}):
        rows = [ROWS[0] | {"timestamp": DAY}, ROWS[1] | {"timestamp": timestamp} | rest]
        with pytest.raises(DataError, match=rf"row 1.*{timestamp} lies outside .*1970-01-02.*{advice}"):
            read_page(response(envelope(json.dumps(rows).encode())), RATINGS, window, quarantine=quarantine)
        with pytest.raises(DataError, match=rf"row 1.*{timestamp} lies outside .*1970-01-02.*{advice}"):
            read_page(response(ndjson(rows), NDJSON), RATINGS, window, quarantine=quarantine)


def test_rows_out_of_order_and_rows_of_another_kind_are_never_set_aside():
    disordered = response(envelope(json.dumps([ROWS[2], ROWS[1]]).encode()))
    with pytest.raises(BadRowsError, match="expected rising order"):
        read_page(disordered, RATINGS, ALWAYS, quarantine=True)
    lacking = [{name: value for name, value in row.items() if name != "rating"} for row in ROWS]
    with pytest.raises(DataError, match="rows of the API's response lack 'rating'"):
        read_page(response(envelope(json.dumps(lacking).encode())), RATINGS, ALWAYS, quarantine=True)


@pytest.mark.parametrize("total", [b'"3"', b"3.0", b"-1", b"true", b"[3]", b"1e2", b"1" + b"0" * 18, b"9" * 4000])
def test_a_total_that_is_not_a_count_is_a_data_error_at_once(total):
    sent = response(b'{"result":[],"total":%b}' % total)
    for read in (lambda: read_page(sent, RATINGS, ALWAYS), lambda: read_total(sent)):
        with pytest.raises(DataError, match="total"):
            read()


@pytest.mark.parametrize("header", ["seven", "-1", "", "3.0", "9" * 5000])
def test_a_total_count_header_that_is_not_a_count_is_a_data_error_at_once(header):
    sent = response(b'{"result":[],"total":null}', X_Total_Count=header)
    for read in (lambda: read_page(sent, RATINGS, ALWAYS), lambda: read_total(sent)):
        with pytest.raises(DataError, match="X-Total-Count"):
            read()


@pytest.mark.parametrize("value", ["1e999", "-1e999", '"\\ud800"', '{"a": [1e999]}', "[]"])
def test_what_was_sent_can_be_written_as_json_again(value):
    body = envelope(b'[{"userId":1,"movieId":1,"rating":%b,"timestamp":1}]' % value.encode())
    rows = read_page(response(body), RATINGS, ALWAYS, quarantine=True).rows
    assert json.loads(json.dumps([rows.first, rows.bad[0].row], allow_nan=False))[0] == list(rows.first)


def test_movies_and_users_are_pages_too():
    movies = [
        {"movieId": 1, "title": "Ö", "year": None, "genres": "A|B"},
        {"movieId": 2, "title": None, "year": 1999, "genres": None},
    ]
    users = [{"userId": n, "num_ratings": n * 2} for n in range(2000)]
    assert read_page(response(envelope(compact(movies))), MOVIES, ALWAYS).rows.good.to_dicts() == movies
    assert read_page(response(ndjson(movies), NDJSON), MOVIES, ALWAYS).rows.good.to_dicts() == movies
    assert read_page(response(envelope(compact(users))), USERS, ALWAYS).rows.good.to_dicts() == users
