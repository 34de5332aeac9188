"""Paging through one state of the ratings while others take its place."""

from itertools import count

import polars as pl
import pytest
from api_testing import Api, Model, Serving
from requests import Response

from movielens_api.app import create_app
from movielens_api.catalogue import Catalogue
from movielens_api.ratings_table import RatingsTable
from movielens_api.settings import DEFAULT
from movielens_api.snapshots import SnapshotGoneError, Snapshots


def table(*timestamps: int) -> RatingsTable:
    return RatingsTable(pl.DataFrame({"userId": 1, "movieId": 7, "rating": 4.0, "timestamp": list(timestamps)}))


def times(answers: list[Response]) -> list[int]:
    return [row["timestamp"] for answer in answers for row in answer.json()["result"]]


def test_links_lead_through_a_window_row_by_row(api: Api, model: Model) -> None:
    window = model.window("2000-11-01", "2001-02-01")
    answers = list(api.pages("/ratings?start_date=2000-11-01&end_date=2001-02-01&offset=5&limit=997"))
    assert [row for answer in answers for row in answer.json()["result"]] == window[5:]
    assert len(answers) == -(-len(window[5:]) // 997)
    assert {answer.headers["x-total-count"] for answer in answers} == {str(len(window))}
    assert len({answer.headers["snapshot"] for answer in answers}) == 1
    second = answers[1].json()
    assert (second["offset"], second["limit"], second["total"]) == (1002, 997, len(window))


@pytest.mark.parametrize("query", ["limit=0", "start_date=2015-01-01&end_date=2015-01-01", "offset=100004",
                                   "offset=9223372036854775807", "offset=100003&limit=1", "offset=99904"])  # fmt: skip
def test_no_link_where_nothing_follows(api: Api, query: str) -> None:
    answer = api.ask(f"/ratings?{query}")
    assert answer.status_code == 200
    assert "link" not in answer.headers
    assert len(answer.headers["snapshot"]) == 24


def test_a_link_works_behind_any_prefix_and_no_header_bends_it(api: Api) -> None:
    answer = api.ask("/ratings", x_forwarded_host="evil.example", x_forwarded_proto="gopher", forwarded="host=evil")
    assert answer.headers["link"].startswith("<?cursor=")
    assert answer.headers["link"].endswith('>; rel="next"')


@pytest.mark.parametrize("old_rows", [[10, 20, 30, 40, 50]])
def test_an_old_snapshot_is_paged_to_its_end_then_gone_when_dropped(
    serving: Serving, small: Catalogue, old_rows: list[int]
) -> None:
    snapshots = Snapshots(table(*old_rows))
    old = snapshots.current()
    with serving(create_app(small, DEFAULT, snapshots)) as server:
        pages = server.pages("/ratings?limit=2")
        answers = [next(pages)]
        # A row lands before the page, within the pages to come and behind them; one is taken away.
        snapshots.publish(table(5, 10, 20, 25, 40, 50, 60))
        answers += pages
        assert times(answers) == old_rows
        assert {answer.json()["total"] for answer in answers} == {5}
        assert {answer.headers["snapshot"] for answer in answers} == {old.name}

        now = server.ask("/ratings")
        assert times([now]) == [5, 10, 20, 25, 40, 50, 60]
        assert now.headers["snapshot"] != old.name

        snapshots.drop(old)
        again = server.ask("/ratings" + answers[0].links["next"]["url"])
        assert again.status_code == 410
        assert again.headers["content-type"] == "application/problem+json"


def test_a_cursor_outlives_a_restart_on_the_same_ratings(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        link = server.ask("/ratings?limit=1").links["next"]["url"]
    same = Catalogue("same", small.ratings.window().reverse(), small.movies)
    with serving(create_app(same, DEFAULT)) as server:
        assert times([server.ask("/ratings" + link)]) == [9]


def test_only_what_a_cursor_leads_into_is_kept() -> None:
    snapshots = Snapshots(table(1))
    unused = snapshots.current()
    used = snapshots.publish(table(2))
    snapshots.hold(used)
    snapshots.publish(table(3))
    assert snapshots.find(used.id) is used
    with pytest.raises(SnapshotGoneError):
        snapshots.find(unused.id)


def test_a_snapshot_replaced_while_it_is_read_is_kept() -> None:
    snapshots = Snapshots(table(1))
    read = snapshots.current()
    snapshots.publish(table(2))
    snapshots.hold(read)
    assert snapshots.find(read.id) is read


def test_cursors_keep_a_snapshot_for_a_time() -> None:
    now = 0.0
    snapshots = Snapshots(table(1), seconds_kept=10, clock=lambda: now)
    first = snapshots.current()
    snapshots.hold(first)
    now = 9
    snapshots.publish(table(2))
    assert snapshots.find(first.id)
    snapshots.hold(first)
    now = 18
    snapshots.publish(table(3))
    assert snapshots.find(first.id)
    now = 19
    snapshots.publish(table(4))
    with pytest.raises(SnapshotGoneError):
        snapshots.find(first.id)


def test_the_snapshots_unused_for_longest_go_first() -> None:
    ticks = count()
    snapshots = Snapshots(table(0), most_kept=2, clock=lambda: next(ticks))
    kept = [snapshots.current(), *(snapshots.publish(table(number)) for number in (1,))]
    for snapshot in reversed(kept):
        snapshots.hold(snapshot)
    third = snapshots.publish(table(2))
    snapshots.hold(third)
    snapshots.publish(table(3))
    assert snapshots.find(kept[0].id)
    assert snapshots.find(third.id)
    with pytest.raises(SnapshotGoneError):
        snapshots.find(kept[1].id)


def test_a_state_may_be_named_instead_of_read() -> None:
    snapshots = Snapshots(table(1))
    named = snapshots.publish(table(1), b"base 1, log 17")
    assert named.id != Snapshots(table(1)).current().id
    assert snapshots.publish(table(1, 2), b"base 1, log 18").id != named.id


def test_the_state_published_again_is_the_same_snapshot() -> None:
    snapshots = Snapshots(table(1))
    first = snapshots.current()
    assert snapshots.publish(table(1)).id == first.id
    snapshots.publish(table(2))
    assert snapshots.publish(table(1)).id == first.id
