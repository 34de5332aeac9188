from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from airflow_movielens.client import FatalError, Window, parse_day

TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2000-11-20", date(2000, 11, 20)),
        (date(2000, 11, 20), date(2000, 11, 20)),
        (datetime(2000, 11, 20), date(2000, 11, 20)),
        (datetime(2000, 11, 20, tzinfo=UTC), date(2000, 11, 20)),
        (datetime(2000, 11, 20, 9, tzinfo=TOKYO), date(2000, 11, 20)),
    ],
)
def test_a_day_is_read_in_every_form(value, day):
    assert parse_day(value) == day


@pytest.mark.parametrize(
    "value",
    ["2000-11-31", "2000-1-1", "20001120", "2000-11-20T00:00:00", "20-11-2000", "", "tomorrow", None, 974678400,
     datetime(2000, 11, 20, 12, tzinfo=UTC), datetime(2000, 11, 20, tzinfo=TOKYO)],
)  # fmt: skip
def test_a_value_that_is_not_a_day_is_refused_by_name(value):
    with pytest.raises(FatalError, match="start_date"):
        parse_day(value, "start_date")


def test_a_reversed_window_is_refused():
    with pytest.raises(FatalError, match="reversed: start_date 2000-11-21 lies after end_date 2000-11-20"):
        Window.of("2000-11-21", "2000-11-20")


def test_a_window_becomes_query_parameters_of_the_api():
    window = Window.of("2000-11-20", date(2000, 11, 21))
    assert window.query() == {"start_date": "2000-11-20", "end_date": "2000-11-21"}
    assert window.timestamps() == (974678400, 974678400 + 86400)
    assert Window().query() == {}
    assert Window.of(None, "1970-01-01").timestamps() == (None, 0)
