"""Servers that cut days in their own time zone: the right rows, or an error that says so.

The server knows the first paragraph of the contract only and turns days into moments as Python programs do.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from unit.model_server import Reply, serve

from airflow_movielens.client import DataError, FatalError, MovielensClient, MovielensError, RatingsChangedError, Window
from airflow_movielens.client.window import ServerCalendar
from airflow_movielens.connection.client_factory import check

pytestmark = pytest.mark.slow

HOUR = 3600
ZONES = [
    "UTC", "Asia/Seoul", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Kiritimati", "Pacific/Niue", "America/Sao_Paulo", "America/Havana", "Pacific/Chatham",
]  # fmt: skip
FIRST, LAST = date(2004, 10, 28), date(2004, 11, 9)
GAP = {date(2004, 11, 5), date(2004, 11, 6)}
"""Clocks were changed in these days: in New York, Havana, London, Lord Howe, Chatham and São Paulo (at midnight)."""
WINDOWS = {
    "first day": Window(FIRST, FIRST + timedelta(1)),
    "day before the first": Window(FIRST - timedelta(1), FIRST),
    "last day": Window(LAST, LAST + timedelta(1)),
    "day after the last": Window(LAST + timedelta(1), LAST + timedelta(2)),
    "first two days": Window(FIRST, FIRST + timedelta(2)),
    "in the middle": Window(date(2004, 11, 3), date(2004, 11, 4)),
    "before the gap": Window(date(2004, 11, 4), date(2004, 11, 5)),
    "the gap": Window(date(2004, 11, 5), date(2004, 11, 7)),
    "after the gap": Window(date(2004, 11, 7), date(2004, 11, 8)),
    "clocks change": Window(date(2004, 10, 31), date(2004, 11, 1)),
    "clocks change at midnight": Window(date(2004, 11, 2), date(2004, 11, 3)),
    "all": Window(FIRST, LAST + timedelta(1)),
    "more than all": Window(FIRST - timedelta(9), LAST + timedelta(9)),
    "from a day on": Window(date(2004, 11, 3), None),
    "up to a day": Window(None, date(2004, 11, 3)),
    "everything": Window(),
}


def seconds(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def every(step, begin, end):
    return [
        {"userId": number % 7 + 1, "movieId": number + 1, "rating": 3.5, "timestamp": timestamp}
        for number, timestamp in enumerate(range(begin, end, step))
        if datetime.fromtimestamp(timestamp, UTC).date() not in GAP
    ]


ROWS = every(HOUR // 2, seconds(FIRST), seconds(LAST) + 24 * HOUR)


class Days:
    """A server's data and how it cuts days; each test sets what it needs."""

    def __init__(self):
        self.zone, self.fold, self.rows, self.total, self.least_limit = ZoneInfo("UTC"), 0, ROWS, True, 0
        self.change_query, self.change_page, self.key, self.media_type = dict, list, "result", "application/json"

    def respond(self, query, _):
        query = self.change_query(query)
        start, end = (self._moment(query.get(name)) for name in ("start_date", "end_date"))
        rows = [row for row in self.rows if (start is None or row["timestamp"] >= start) and (end is None or row["timestamp"] < end)]  # fmt: skip
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        if limit < self.least_limit:
            return Reply(b'{"detail": "limit is too small"}', 422)
        page = {self.key: self.change_page(rows[offset : offset + limit]), "offset": offset, "limit": limit}
        page |= {"total": len(rows)} if self.total else {}
        return Reply(json.dumps(page).encode(), headers={"Content-Type": self.media_type})

    def _moment(self, day):
        if day is None:
            return None
        return datetime.fromisoformat(day).replace(tzinfo=self.zone, fold=self.fold).timestamp()


@pytest.fixture(scope="module")
def shared():
    days = Days()
    with serve(days.respond, max_requests=10**6) as server:
        yield server, days


@pytest.fixture
def server(shared):
    shared[1].__init__()
    shared[0].days = shared[1]
    return shared[0]


def expected(window, rows=ROWS):
    start, end = window.timestamps()
    return [row for row in rows if (start or -(10**12)) <= row["timestamp"] < (end or 10**12)]


def fetch(server, window, on_bad_rows="fail", **settings):
    settings = {"page_size": 1000, "retries": 0} | settings
    with MovielensClient(server.base_url, **settings) as client:
        batches = client.read_batches(window.start, window.end, on_bad_rows=on_bad_rows)
        return [row for batch in batches for row in batch.rows.good.to_dicts()]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("zone", ZONES)
def test_a_window_is_right_or_refused_and_right_with_the_time_zone(server, zone, window):
    server.days.zone = ZoneInfo(zone)
    # Where clocks are changed at midnight, a server may take either moment.
    for server.days.fold in (0, 1) if zone in {"America/Sao_Paulo", "America/Havana"} else (0,):
        assert fetch(server, window, time_zone=zone) == expected(window)
        try:
            assert fetch(server, window) == expected(window)
        except DataError as error:
            assert "set time_zone to the time zone" in str(error)  # noqa: PT017
            assert zone != "UTC"


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_wrong_time_zone_is_refused_or_makes_no_difference(server, window):
    for zone, said in [("Asia/Seoul", "America/New_York"), ("UTC", "Asia/Kolkata"), ("Asia/Kathmandu", "Asia/Kolkata")]:
        server.days.zone = ZoneInfo(zone)
        try:
            assert fetch(server, window, time_zone=said) == expected(window)
        except DataError as error:
            assert "set time_zone to the time zone" in str(error)  # noqa: PT017


@pytest.mark.parametrize("hours", range(-12, 15))
def test_one_rating_on_the_wrong_day_is_enough_to_notice(server, hours):
    # The only ratings lie where a server's day differs from the UTC day: the window has none of the others.
    server.days.zone = ZoneInfo(f"Etc/GMT{-hours:+d}" if hours else "UTC")
    day = date(2004, 11, 3)
    window = Window(day, day + timedelta(1))
    for moment in (seconds(day), seconds(day) + 24 * HOUR - 1):
        server.days.rows = every(1, moment, moment + 1)
        if hours == 0 or (hours < 0) == (moment > seconds(day)):
            assert fetch(server, window) == server.days.rows
        else:
            with pytest.raises(DataError, match="lies in the window"):
                fetch(server, window)


def test_a_window_of_more_than_all_days_is_right_in_pages_whatever_the_days(server):
    for zone in ZONES:
        server.days.zone = ZoneInfo(zone)
        assert fetch(server, Window(FIRST - timedelta(9), LAST + timedelta(9)), page_size=40) == ROWS


def test_the_verification_takes_few_requests(server):
    for name, most in {"in the middle": 3, "from a day on": 3, "up to a day": 2, "everything": 0, "the gap": 4}.items():
        before = len(server.requests)
        fetch(server, WINDOWS[name])
        read = [query for query in server.requests[before:] if query["limit"] == "1"]
        assert len(read) == most


def test_quarantine_does_not_hide_other_days(server):
    server.days.zone = ZoneInfo("Asia/Seoul")
    with MovielensClient(server.base_url) as client:
        for window in (WINDOWS["in the middle"], WINDOWS["first day"], WINDOWS["all"]):
            with pytest.raises(DataError, match="set time_zone"):
                list(client.read_batches(window.start, window.end, on_bad_rows="quarantine"))


def next_day(query, name="end_date"):
    return {name: str(date.fromisoformat(query[name]) + timedelta(1))} if name in query else {}


def at_most(days):
    """A server that returns so many days at once."""

    def change(query):
        start = query.get("start_date")
        last = start and str(date.fromisoformat(start) + timedelta(days))
        return query | ({"end_date": min(last, query.get("end_date", last))} if last else {})

    return change


def sent(**changes):
    return {"change_page": lambda rows: [row | {name: change(row[name]) for name, change in changes.items()} for row in rows]}  # fmt: skip


ODD = {
    "end_date is the last day": {"change_query": lambda query: query | next_day(query)},
    "start_date is the day before": {"change_query": lambda query: query | next_day(query, "start_date")},
    "start_date is passed over": {"change_query": lambda query: {k: v for k, v in query.items() if k != "start_date"}},
    "end_date is passed over": {"change_query": lambda query: {k: v for k, v in query.items() if k != "end_date"}},
    "both are": {"change_query": lambda query: {k: v for k, v in query.items() if not k.endswith("_date")}},
    "one day at once": {"change_query": at_most(1)},
    "five days at once": {"change_query": at_most(5)},
    "by user": {"rows": sorted(ROWS, key=lambda row: (row["userId"], row["timestamp"]))},
    "falling": {"rows": ROWS[::-1]},
    "falling in a page": {"change_page": lambda rows: rows[::-1]},
    "a row twice at the border of pages": {"change_page": lambda rows: rows[:1] + rows},
    "milliseconds": sent(timestamp=lambda seconds: 1000 * seconds),
    "floats": sent(timestamp=float, userId=float, movieId=float),
    "fractions": sent(timestamp=lambda seconds: seconds + 0.5),
}  # fmt: skip


@pytest.mark.parametrize("days", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_an_odd_server_gives_the_right_rows_or_is_refused(server, zone, days):
    vars(server.days).update(days, zone=ZoneInfo(zone))
    refused = 0
    for name in ("first day", "last day", "in the middle", "before the gap", "all"):
        for on_bad_rows in ("fail", "quarantine"):
            try:
                rows = fetch(server, WINDOWS[name], on_bad_rows, page_size=40, time_zone=zone)
                assert rows == expected(WINDOWS[name])
            except MovielensError:
                refused += 1
    assert refused


def test_ratings_that_arrive_meanwhile_are_not_reported_as_missing(server):
    server.days.rows = early = [row for row in ROWS if row["timestamp"] < seconds(date(2004, 11, 3))]

    def arriving(query):
        if query.get("start_date") == "2004-11-03":
            server.days.rows = ROWS
        return query

    server.days.change_query = arriving
    with MovielensClient(server.base_url, retries=0) as client:
        with pytest.raises(RatingsChangedError, match=r"the data changed .* on \[2004-11-03, 2004-11-06\)"):
            list(client.read_batches("2004-10-28", "2004-11-05"))
    assert server.days.rows != early


def test_a_bad_row_outside_the_window_is_tolerated(server):
    server.days.rows = [row | {"rating": 9.0} if row["timestamp"] < seconds(date(2004, 11, 3)) else row for row in ROWS]
    assert fetch(server, WINDOWS["in the middle"]) == expected(WINDOWS["in the middle"])


def test_without_a_total_the_log_says_that_the_window_is_not_verified(server, caplog):
    server.days.total = False
    assert fetch(server, WINDOWS["in the middle"]) == expected(WINDOWS["in the middle"])
    assert "Cannot verify that the API's days are UTC days at the edge [2004-11-02, 2004-11-03)" in caplog.text


def test_the_verification_respects_a_minimum_page_size(server, caplog):
    server.days.least_limit = 50
    assert fetch(server, WINDOWS["in the middle"]) == expected(WINDOWS["in the middle"])
    server.days.zone = ZoneInfo("Asia/Seoul")
    with pytest.raises(DataError, match="set time_zone"):
        fetch(server, WINDOWS["first day"])
    assert "not verified" not in caplog.text


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York", "America/Sao_Paulo", "Pacific/Apia"])
def test_ratings_are_counted_exactly_with_the_time_zone(server, zone):
    server.days.zone = ZoneInfo(zone)
    with MovielensClient(server.base_url, page_size=100, time_zone=zone) as client:
        for window in WINDOWS.values():
            assert client.count_ratings(window.start, window.end) == len(expected(window))


@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize("least_limit", [0, 1, 2, 50])
def test_ratings_are_counted_where_limit_0_is_refused_or_a_total_is_missing(server, least_limit, has_total):
    server.days.total, server.days.least_limit = has_total, least_limit
    window = WINDOWS["first two days"]
    with MovielensClient(server.base_url, page_size=50) as client:
        assert client.count_ratings(window.start, window.end) == 96
        assert client.count_ratings(window.start, window.end, enough=1) >= 1
        if has_total:
            assert client.count_ratings() == len(ROWS)
        else:
            with pytest.raises(DataError, match='no "total"'):
                client.count_ratings()


@pytest.mark.parametrize(
    ("server_is", "said"),
    [
        ({}, "it holds 528 ratings"),
        ({"total": False}, "it does not say how many ratings it holds"),
        ({"total": False, "least_limit": 50}, "it does not say how many ratings it holds"),
        ({"total": False, "rows": []}, "it holds no ratings"),
        ({"key": "items"}, 'not like a ratings API: the API\'s response has no list "result"'),
        (sent(timestamp=float), "not like a ratings API: bad ratings from the API: row 0, column 'timestamp'"),
    ],
)
def test_the_test_button_says_whether_there_are_ratings(server, server_is, said):
    vars(server.days).update(server_is)
    assert said in check(lambda: MovielensClient(server.base_url, retries=0))[1]


def test_a_page_of_another_kind_names_no_total_and_is_named(server):
    server.days.media_type = "text/html"
    with MovielensClient(server.base_url, retries=0) as client:
        with pytest.raises(DataError, match=r"response is text/html .*expected ratings data"):
            client.count_ratings()


def test_a_fetch_is_resumed_with_the_servers_rows(server):
    server.days.zone = ZoneInfo("America/New_York")
    window = WINDOWS["all"]
    with MovielensClient(server.base_url, page_size=10, time_zone="America/New_York") as client:
        batches = list(client.read_batches(window.start, window.end))
        rows = [row for batch in batches for row in batch.rows.good.to_dicts()]
        assert rows == expected(window)
        for number in (0, 1, 20, len(batches) - 1):
            rest = client.read_batches(window.start, window.end, bookmark=batches[number].bookmark)
            before = [row for batch in batches[: number + 1] for row in batch.rows.good.to_dicts()]
            assert before + [row for batch in rest for row in batch.rows.good.to_dicts()] == rows


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "x" * 300, "a\0b", 9, b"UTC", "KST9"])
def test_an_unknown_time_zone_is_fatal_and_named(name):
    with pytest.raises(FatalError, match=r"time_zone is .*IANA name"):
        MovielensClient("http://localhost", time_zone=name)


def test_the_calendar_covers_what_mktime_makes_of_midnights():
    for zone in ("America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Africa/Cairo", "Pacific/Apia", "Asia/Seoul"):
        calendar = ServerCalendar(zone)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            for number in range(0, 6000, 3):
                day = date(2000, 1, 1) + timedelta(number)
                window = Window(day, day + timedelta(1))
                asked = calendar.covering(window)
                begin, end = (time.mktime(bound.timetuple()) for bound in (asked.start, asked.end))
                assert begin <= seconds(day), (zone, day)
                assert seconds(day) + 24 * HOUR <= end, (zone, day)
                assert asked.bounds[0] <= begin <= end <= asked.bounds[1], (zone, day)
        time.tzset()


@pytest.mark.parametrize("window", [Window(date.min, date(1, 1, 3)), Window(date(9999, 12, 30), date.max), Window(date.min, date.max)])  # fmt: skip
def test_the_first_and_the_last_days_of_the_calendar_can_be_requested(server, window):
    for zone in (None, "Asia/Seoul", "America/New_York"):
        server.days.rows = []
        assert fetch(server, window, time_zone=zone) == []


def test_a_window_without_a_good_row_is_an_error_even_with_quarantine(server):
    server.days.rows = [row | {"rating": 9.0} for row in ROWS]
    with MovielensClient(server.base_url, retries=0) as client:
        with pytest.raises(DataError, match=r"none of the 48 rows of .* such as row 0, column 'rating'"):
            list(client.read_batches("2004-11-03", "2004-11-04", on_bad_rows="quarantine"))
