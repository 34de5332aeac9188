"""A day that changes after it was ranked: real tasks record it, and the page says what to do."""

from __future__ import annotations

import re
import time

import pytest
from integration.catalogue_tasks import fetch, rank
from unit.scripted_server import page_of, ratings, serve

DAYS = [("1970-01-02", "1970-01-03"), ("1970-01-03", "1970-01-04")]


def wait_for_the_next_second():
    """Records have times in whole seconds."""
    time.sleep(1 - time.time() % 1)


def fetch_days(root):
    for start, end in DAYS:
        fetch(root / f"ratings/{start}.parquet", start_date=start, end_date=end)


@pytest.fixture
def states(page):
    """Return a function that reads the verdict, and the words of each day of the calendar."""

    def read():
        html = page.get("/movielens/partitions/").text
        days = dict(re.findall(r"<span>(1970-01-\d\d): (.*?)</span>", html))
        return re.search(r'<p class="verdict">(.*?)</p>', html)[1], days

    return read


def test_late_day_is_ranked_again(states, data_root, connection):
    rows = [{**row, "timestamp": 86_400 + 20 * number} for number, row in enumerate(ratings(6000))]
    served = rows[1:]
    with serve(lambda _, query, __: page_of(served, query)) as server:
        connection(host=server.base_url, port=None)
        fetch_days(data_root)
        wait_for_the_next_second()
        rank(str(data_root / "ratings/*.parquet"), data_root / "ranking.csv")
        trusted = "All 2 days are present, and no ranking of them is out of date."
        before = {"1970-01-02": "4,319 ratings", "1970-01-03": "1,680 ratings"}
        assert states() == (trusted, before)

        wait_for_the_next_second()
        served.insert(0, rows[0])
        fetch_days(data_root)  # the second day has not changed
        late = {**before, "1970-01-02": "4,320 ratings, rankings out of date, late"}
        assert states() == ("1 day of 2 needs attention.", late)

        rank(str(data_root / "ratings/*.parquet"), data_root / "ranking.csv")
        assert states() == (trusted, {**before, "1970-01-02": "4,320 ratings, late"})
