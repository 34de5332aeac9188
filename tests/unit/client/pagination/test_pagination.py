"""Every kind of pagination gives the same rows: one state of the data, each once, also from a bookmark on."""

from __future__ import annotations

import asyncio
import json
import threading

import polars as pl
import pytest
from unit.client_reads import DAY_2, fetched
from unit.scripted_server import DAY, Response, page_of, ratings, serve

from airflow_movielens.client import DataError, MovielensClient, RatingsChangedError
from airflow_movielens.client.rows import Bookmark
from airflow_movielens.client.settings import Tuning

ROWS = ratings(100)
NDJSON = "application/x-ndjson"
SECTION = '"?cursor=t0ken{&offset,limit}"; rel="section"'


def lines(rows):
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def offsets_only(rows=ROWS):
    return lambda _, query, __: page_of(rows, query)


def snapshot_headers(query, rows, name="s1"):
    headers = {"Snapshot": name, "X-Total-Count": str(len(rows))}
    following = int(query.get("offset", 0)) + int(query.get("limit", len(rows)))
    if following < len(rows):
        headers["Link"] = f'<?cursor={following}-{query["limit"]}>; rel="next"'
    return headers


def sections(rows=ROWS):
    """A server with sections, in JSON only."""

    def script(_, query, __):
        response = page_of(rows, query)
        response.headers |= snapshot_headers(query, rows) | {"Link-Template": SECTION}
        return response

    return script


def stream(rows=ROWS, cuts=()):
    """A server with sections, in NDJSON; the requests whose numbers are in ``cuts`` break off."""

    def script(_, query, number):
        offset = int(query.get("offset", 0))
        body = lines(rows[offset : offset + int(query.get("limit", len(rows)))])
        headers = {"Content-Type": NDJSON, **snapshot_headers(query, rows), "Link-Template": SECTION}
        return Response(body, headers=headers, cut_after=len(body) // 2 + 3 if number in cuts else None)

    return script


def cursors(rows=ROWS):
    """A server that links from page to page and takes offsets for the first only."""

    def script(_, query, __):
        offset, limit = query["cursor"].split("-") if "cursor" in query else ("0", query["limit"])
        asked = {"offset": offset, "limit": limit}
        response = page_of(rows, asked)
        response.headers |= snapshot_headers(asked, rows)
        return response

    return script


KINDS = {"offset": offsets_only, "section": sections, "stream": stream, "cursor": cursors}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def client_of(server, **settings):
    return MovielensClient(server.base_url, **{"page_size": 10} | settings)


def rows_of(batches):
    return [row for batch in batches for row in batch.rows.good.iter_rows(named=True)]


@kinds
@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 19, 20, 21, 100])
def test_every_row_comes_once_in_order(kind, count):
    with serve(kind(ROWS[:count])) as server, client_of(server) as client:
        batches = list(client.read_batches())
        assert rows_of(batches) == ROWS[:count]
        assert [batch.is_last for batch in batches] == [False] * (len(batches) - 1) + [True]
        assert batches[-1].bookmark.count == count


@kinds
def test_links_are_followed_where_the_password_is_part_of_the_path(kind):
    def script(path, query, number):
        return kind()(path, query, number) if path == "/movielens/ratings" else Response({}, 404)

    with serve(script) as server:
        with MovielensClient(f"{server.base_url}/movielens", "movielens", "movielens", page_size=10) as client:
            assert list(client.get_ratings()) == ROWS


@kinds
def test_reading_resumes_after_every_bookmark(kind):
    with serve(kind()) as server:
        with client_of(server) as client:
            batches = list(client.read_batches())
        for number, batch in enumerate(batches):
            kept = Bookmark.from_dict(json.loads(json.dumps(batch.bookmark.to_dict())))
            with client_of(server) as another:
                rest = list(another.read_batches(bookmark=kept))
            assert rows_of(batches[: number + 1]) + rows_of(rest) == ROWS
            assert rest[-1].is_last


@kinds
def test_reading_resumes_after_an_empty_window(kind):
    with serve(kind(ROWS[:0])) as server, client_of(server) as client:
        (nothing,) = client.read_batches()
        (rest,) = client.read_batches(bookmark=nothing.bookmark)
        assert rest.is_last
        assert not rest.rows.count
        assert all(int(query["offset"]) >= 0 for _, query, _ in server.requests)


@kinds
def test_rows_that_a_later_page_repeats_are_not_accepted(kind):
    # The last row of the first page is quarantined; the next page begins before the good rows of that page.
    again = [*ROWS[:9], ROWS[8], *ROWS[6:]]
    with serve(kind(again)) as server, client_of(server, retries=0) as client:
        reading = client.read_batches(on_bad_rows="quarantine")
        first = next(reading)
        assert [row.number for row in first.rows.bad] == [9]
        for batches in (reading, client.read_batches(bookmark=first.bookmark, on_bad_rows="quarantine")):
            with pytest.raises((RatingsChangedError, DataError), match=r"pages overlap|expected rising order"):
                list(batches)


@kinds
def test_resuming_requests_nothing_that_was_already_read(kind):
    with serve(kind()) as server:
        with client_of(server, concurrency=1) as client:
            reading = client.read_batches()
            bookmark = next(reading).bookmark
            reading.close()
        before = len(server.requests)
        with client_of(server) as client:
            list(client.read_batches(bookmark=bookmark))
        asked = [query for _, query, _ in server.requests[before:]]
        assert asked
        for query in asked:
            first = int(query["offset"]) if "offset" in query else int(query["cursor"].split("-")[0])
            assert first >= bookmark.count - 1


@kinds
def test_a_bookmark_of_other_data_starts_over(kind):
    with serve(kind()) as server, client_of(server) as client:
        reading = client.read_batches()
        bookmark = next(reading).bookmark
        reading.close()
    other = [row | {"rating": 1.0} for row in ROWS[3:]]
    with serve(kind(other)) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError):
            list(client.read_batches(bookmark=bookmark))


@pytest.mark.parametrize("status", [404, 409, 410, 422])
@pytest.mark.parametrize("kind", [sections, stream, cursors])
def test_a_bookmark_that_the_server_refuses_starts_over(kind, status):
    with serve(kind()) as server, client_of(server) as client:
        bookmark = next(client.read_batches()).bookmark
    with serve(lambda *_: Response({"detail": "no such cursor"}, status)) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError):
            list(client.read_batches(bookmark=bookmark))


@pytest.mark.parametrize("kind", [sections, stream, cursors])
def test_a_bookmark_for_a_server_that_ignores_cursors_starts_over(kind):
    with serve(kind()) as server, client_of(server) as client:
        bookmark = next(client.read_batches("1970-01-02", "1970-01-03")).bookmark
    other_days = [row | {"timestamp": row["timestamp"] + 10 * DAY} for row in ROWS]
    with serve(lambda _, query, __: page_of(ROWS + other_days, query | {"offset": 95})) as server:
        with client_of(server) as client, pytest.raises(RatingsChangedError):
            list(client.read_batches("1970-01-02", "1970-01-03", bookmark=bookmark))


def test_the_first_response_selects_the_kind():
    for name, kind in KINDS.items():
        with serve(kind()) as server, client_of(server) as client:
            bookmark = next(client.read_batches()).bookmark
            assert (bookmark.kind, bookmark.media_type) == {
                "offset": ("offset", "application/json"),
                "section": ("section", "application/json"),
                "stream": ("section", NDJSON),
                "cursor": ("cursor", "application/json"),
            }[name]


def test_a_stream_that_breaks_off_resumes_where_it_broke():
    with serve(stream(cuts={1, 2, 3})) as server, client_of(server) as client:
        assert rows_of(client.read_batches()) == ROWS
        offsets = [int(query["offset"]) for _, query, _ in server.requests]
        assert offsets == sorted(set(offsets))
        assert len(offsets) == 5


def test_every_bad_row_of_a_stream_is_read_again():
    bad = [row | {"rating": 9.0} if number in {30, 70} else row for number, row in enumerate(ROWS)]

    def script(path, query, number):
        # What is wrong with row 70 passes.
        return stream(bad if number < 3 else [*bad[:70], *ROWS[70:]])(path, query, number)

    tuning = Tuning(chunk_bytes=500, ndjson_bytes=500)
    with serve(script) as server, client_of(server, tuning=tuning) as client:
        batches = list(client.read_batches(on_bad_rows="quarantine"))
    assert rows_of(batches) == [*ROWS[:30], *ROWS[31:]]
    assert [row.row for batch in batches for row in batch.rows.bad] == [bad[30]]


def test_the_rest_of_a_stream_that_ends_early_is_requested():
    def script(path, query, number):
        response = stream()(path, query, number)
        return Response(lines(ROWS[10:60]), headers=response.headers) if number == 1 else response

    with serve(script) as server, client_of(server) as client:
        assert rows_of(client.read_batches()) == ROWS
        assert [query["offset"] for _, query, _ in server.requests] == ["0", "10", "60"]


def test_a_stream_with_fewer_rows_than_announced_is_an_error():
    def script(path, query, number):
        response = stream()(path, query, number)
        return Response(b"", headers=response.headers) if number else response

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match="announced 100 ratings but 10 can be read"):
            list(client.read_batches())


def test_a_stream_with_more_rows_than_announced_is_an_error():
    def script(path, query, number):
        return stream(ROWS[:90] if number == 0 else ROWS)(path, query, number)

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match="with 100 rows, not s1 with 90"):
            list(client.read_batches())


@pytest.mark.parametrize("total", [5, 10, 20, 99])
@pytest.mark.parametrize("kind", [sections, stream, cursors])
def test_a_total_that_is_too_low_loses_no_rows(kind, total):
    def script(path, query, number):
        response = kind()(path, query, number)
        response.headers["X-Total-Count"] = str(total)
        if isinstance(response.body, dict):
            response.body["total"] = total
        return response

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match=f"announced {total}"):
            list(client.read_batches())


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("change", [{"timestamp": "soon"}, {"timestamp": None}, {"userId": 0.5}])
@pytest.mark.parametrize("at", [9, 10, 18, 19, 20])
def test_a_quarantined_row_between_two_pages_is_not_an_overlap(kind, change, at):
    rows = [*ROWS[:at], ROWS[at] | change, *ROWS[at + 1 :]]
    with serve(kind(rows)) as server, client_of(server) as client:
        batches = list(client.read_batches("1970-01-02", "1970-01-03", on_bad_rows="quarantine"))
    assert rows_of(batches) == [*ROWS[:at], *ROWS[at + 1 :]]
    assert sum(len(batch.rows.bad) for batch in batches) == 1


def test_another_snapshot_is_noticed():
    def script(path, query, number):
        response = sections()(path, query, number)
        return Response(response.body, headers=response.headers | {"Snapshot": "s1" if number < 4 else "s2"})

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match="from s1 to s2"):
            list(client.read_batches())


def test_cursors_in_a_circle_are_an_error():
    def script(path, query, number):
        return cursors()(path, {"cursor": "10-10"} if number > 3 else query, number)

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match="pages overlap"):
            list(client.read_batches())


def test_an_empty_page_with_a_cursor_is_an_error():
    def script(path, query, number):
        response = cursors()(path, query, number)
        return Response(response.body | {"result": []}, headers=response.headers) if number == 3 else response

    with serve(script) as server, client_of(server) as client:
        with pytest.raises(RatingsChangedError, match="without rows"):
            list(client.read_batches())


@pytest.mark.parametrize("kind", [offsets_only, sections])
def test_pages_are_requested_concurrently_up_to_the_limit(kind):
    together, lock, most = [], threading.Lock(), []
    met = threading.Barrier(3, timeout=20)

    def script(path, query, number):
        with lock:
            together.append(number)
            most.append(len(together))
        if number in {1, 2, 3}:
            met.wait()  # passes only if three requests are in flight
        with lock:
            together.remove(number)
        return kind()(path, query, number)

    with serve(script) as server, client_of(server, concurrency=3) as client:
        assert rows_of(client.read_batches()) == ROWS
    assert max(most) == 3


def test_an_abandoned_generator_requests_no_more_than_was_in_flight():
    with serve(offsets_only(ratings(900))) as server, client_of(server, concurrency=4) as client:
        rows = client.get_ratings()
        next(rows)
        rows.close()
        client.count_ratings()
        assert len(server.requests) <= 6
        assert len(list(client.get_ratings())) == 900


def test_rows_are_yielded_before_the_last_page_is_requested():
    with serve(offsets_only(ratings(900))) as server, client_of(server, concurrency=2) as client:
        rows = client.get_ratings()
        for _ in range(20):
            next(rows)
        assert len(server.requests) < 8
        rows.close()


@kinds
def test_the_event_loop_is_not_blocked_while_ratings_are_read(kind):
    turns = threading.Event()

    def script(path, query, number):
        assert turns.wait(20)  # the response is sent only after the event loop had its turn
        return kind()(path, query, number)

    async def read(client):
        asyncio.get_running_loop().call_later(0.05, turns.set)
        rows = [row async for row in client.aget_ratings()]
        return rows, await client.acount_ratings()

    with serve(script) as server, client_of(server) as client:
        assert asyncio.run(read(client)) == (ROWS, 100)


@pytest.mark.parametrize(
    "begin", [lambda client: anext(client.aget_ratings()), MovielensClient.acount_ratings], ids=["read", "count"]
)
def test_cancelling_cuts_requests_in_flight(begin):
    asked, given_up = threading.Event(), threading.Event()
    waited_for = []

    def script(_, query, number):
        asked.set()
        waited_for.append(not given_up.wait(20))
        return page_of(ROWS, query)

    async def cancel(client):
        task = asyncio.ensure_future(begin(client))
        await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with serve(script) as server, client_of(server) as client:
        asyncio.run(cancel(client))  # waits for the threads
        given_up.set()
        assert client.count_ratings() == 100
    assert True not in waited_for


@pytest.mark.parametrize("data_format", ["auto", "arrow", "ndjson", "json"])
def test_the_real_api_gives_the_same_in_every_format(api, truth, data_format):
    with MovielensClient(api.base_url, api.user, api.password, data_format=data_format) as client:
        frame = pl.concat(client.get_rating_frames())
    expected = pl.from_pandas(truth[["userId", "movieId", "rating", "timestamp"]])
    assert frame.equals(expected.cast(frame.schema))


def test_ratings_are_requested_only_when_they_are_read():
    with (
        serve(lambda _, query, __: page_of(ROWS, query)) as server,
        MovielensClient(server.base_url, page_size=10) as client,
    ):
        rows = client.get_ratings()
        assert len(server.requests) == 0
        next(rows)
        assert len(server.requests) == 1
        rows.close()


def test_an_empty_first_page_with_a_snapshot_is_not_believed_without_a_total():
    def script(_, query, number):
        page = page_of(ROWS, query, total=None, **({"result": []} if number == 0 else {}))
        return Response(page.body, headers={"Snapshot": "s1"})

    with serve(script) as server:
        assert fetched(server, DAY_2) == ROWS
