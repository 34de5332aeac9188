"""The line chart of a movie's ranks, and the words for scores."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_movielens.plugin.rank_chart import HEIGHT, WIDTH, rank_chart
from airflow_movielens.plugin.ranking_scores import SCORES
from airflow_movielens.ranking import METHODS, rank_movies
from airflow_movielens.ratings.schema import RATINGS

DAYS = [date(2015, 3, day) for day in range(1, 7)]


def test_the_first_rank_is_at_the_top_and_gaps_end_a_line():
    chart = rank_chart(list(zip(DAYS, [1, 11, None, 6, 6, None], strict=True)))
    assert [[(point.day.day, point.rank) for point in line] for line in chart.lines] == [
        [(1, 1), (2, 11)],
        [(4, 6), (5, 6)],
    ]
    (first, worst), (middle, after) = chart.lines
    assert first.y < middle.y == after.y < worst.y == chart.bottom
    assert 0 < first.x < worst.x < middle.x < after.x < WIDTH
    assert worst.y < HEIGHT
    assert [label.text for label in chart.days] == ["2015-03-01", "2015-03-02", "2015-03-04", "2015-03-06"]
    assert chart.path(chart.lines[0]) == f"{first.x},{first.y} {worst.x},{worst.y}"


@pytest.mark.parametrize(
    ("lowest", "labels"),
    [
        (1, ["1", "2"]),
        (5, ["1", "2", "3", "4", "5"]),
        (11, ["1", "2", "4", "6", "8", "10"]),
        (19_999, ["1", "5,000", "10,000", "15,000"]),
    ],
)
def test_ranks_have_round_labels(lowest, labels):
    chart = rank_chart([(DAYS[0], lowest)])
    assert [label.text for label in chart.ranks] == labels
    assert all(0 < label.place <= chart.bottom for label in chart.ranks)


def test_a_movie_that_is_never_ranked_has_no_chart():
    assert rank_chart([(DAYS[0], None)]) is None
    assert rank_chart([]) is None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_words_and_columns_that_its_files_have(name):
    score = SCORES[name]
    method = METHODS[name]
    assert {column.name for column in score.columns} <= set(rank_movies(RATINGS.empty(), name).columns)
    assert "{" not in score.sentence(method.defaults)
    for parameter in method.parameters:
        assert "0.123" in score.sentence({**method.defaults, parameter: 0.123})


def test_numbers_are_shown_with_their_digits():
    score, share, upper = SCORES["wilson"].columns
    row = {"score": 0.8125, "like_share": 0.9, "upper_bound": None}
    assert [column.text(row) for column in (score, share, upper)] == ["81.2 %", "90.0 %", "\N{EN DASH}"]
    assert SCORES["popular"].columns[0].text({"score": 12345.0}) == "12,345"
