"""Three years of months, weeks and days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from unit.plugin.partition_records import DAY, dataset, day_after, fetch

from airflow_movielens.plugin.partitions.calendar import Cell, calendar_of, level, level_bounds, shown_years, years_of

YEARS = [2013, 2014, 2015, 2016, 2017]


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        (None, [2015, 2016, 2017]),
        (2016, [2014, 2015, 2016]),
        (2013, [2013]),
        (2030, [2015, 2016, 2017]),
        (1990, [2013, 2014, 2015]),
    ],
)
def test_shown_years(last, shown):
    assert shown_years(YEARS, last) == shown


def test_each_day_of_a_year_is_in_its_place():
    found = dataset(fetch(date(2016, 1, 1)), fetch(date(2016, 12, 31)))
    [year] = calendar_of(found, years_of(found))
    cells = []
    for number, month in enumerate(year.months, start=1):
        for week in month.weeks:
            assert len(week) == 7
            for weekday, cell in enumerate(week):
                if cell is not None:
                    assert (cell.day.month, cell.day.weekday()) == (number, weekday)
                    cells.append(cell.day)
    assert cells == [date(2016, 1, 1) + timedelta(days=each) for each in range(366)]


def test_days_out_of_the_known_ones_have_no_text():
    found = dataset(fetch(rows=5), fetch(day_after(DAY), rows=6))
    [year] = calendar_of(found, [2015])
    known = [cell for week in year.months[2].weeks for cell in week if isinstance(cell, Cell)]
    assert [cell.text for cell in known] == ["2015-03-07: 5 ratings", "2015-03-08: 6 ratings"]
    assert year.ratings == 11


def test_each_level_has_as_many_days():
    rows = list(range(1, 101))
    bounds = level_bounds(rows)
    levels = [level(count, bounds) for count in rows]
    assert levels == sorted(levels)
    assert {each: levels.count(each) for each in levels} == {1: 25, 2: 25, 3: 25, 4: 25}


@pytest.mark.parametrize("rows", [[], [0], [5], [5, 5, 5]])
def test_levels_of_few_or_equal_days(rows):
    bounds = level_bounds(rows)
    assert level(0, bounds) == 0
    assert {level(count, bounds) for count in rows if count} <= {1, 4}
