"""Which 30-day windows a day of `dags/06_partitioned.py` is part of, and what a window is made of."""

from __future__ import annotations

import logging
import runpy
from datetime import date, timedelta
from pathlib import Path

import pytest

DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "06_partitioned.py"
FIRST = date(2000, 2, 15)
FETCHED = {FIRST + timedelta(days=number) for number in range(60)} - {date(2000, 3, 1)}


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    """What the file defines, with a folder in which some days have been fetched."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("data")
        patch.setenv("MOVIELENS_DATA_DIR", str(folder))
        ratings = folder / "06_partitioned" / "ratings"
        ratings.mkdir(parents=True)
        for day in FETCHED:
            (ratings / f"{day}.parquet").touch()
        yield runpy.run_path(str(DAG_FILE))


@pytest.mark.parametrize(
    ("day", "last"),
    [
        ("2000-02-15", date(2000, 3, 15)),
        ("2000-03-20", date(2000, 4, 14)),  # what has been fetched ends here
        ("2000-04-14", date(2000, 4, 14)),
        ("2000-02-01", date(2000, 3, 1)),  # a day before all others, fetched late
    ],
)
def test_a_day_is_part_of_the_windows_that_end_with_it_and_with_the_29_days_after_it(dags, day, last):
    first = date.fromisoformat(day)
    assert dags["windows_with"](day) == {each for each in FETCHED if first <= each <= last}


def test_a_window_is_made_of_the_days_that_were_fetched_and_names_the_others(dags, caplog):
    with caplog.at_level(logging.WARNING):
        files = dags["files_of_window"]("2000-03-05")
    days = [date(2000, 3, 5) - timedelta(days=number) for number in reversed(range(30))]
    assert [Path(file).stem for file in files] == [str(day) for day in days if day in FETCHED]
    assert "11 of 30 days were never fetched: 2000-02-05, " in caplog.text
    assert caplog.text.rstrip().endswith("2000-02-14, 2000-03-01")


def test_of_a_whole_window_there_is_nothing_to_say(dags, caplog):
    files = dags["files_of_window"]("2000-03-31")
    assert Path(files[0]).stem == "2000-03-02"
    assert (len(files), caplog.text) == (30, "")
