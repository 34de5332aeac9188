"""Titles as people write them, and the search in them."""

from __future__ import annotations

import polars as pl
import pytest

from airflow_movielens.recommending.titles import TitleError, Titles

ROWS = {
    1: ("Toy Story", 1995),
    2: ("Matrix, The", 1999),
    3: ("Hamlet", 1948),
    4: ("Hamlet", 2000),
    5: ("Hamlet", 2000),
    6: ("Seven (a.k.a. Se7en)", 1995),
    7: ("City of Lost Children, The (Cité des enfants perdus, La)", 1995),
    8: ("Avventura, L'", 1960),
    9: ("9", 2009),
    10: ("Crazy, Stupid, Love", 2011),
    11: (None, None),
    12: ("Star Wars: Episode IV - A New Hope", None),
    13: ("Good, the Bad and the Ugly, The", 1966),
}
WITH_COLUMN = pl.DataFrame([(movie, *row) for movie, row in ROWS.items()], ["movieId", "title", "year"], orient="row")
IN_TITLE = pl.DataFrame(
    {
        "movieId": list(ROWS),
        "title": [title if year is None else f"{title} ({year})" for title, year in ROWS.values()],
    }
)


@pytest.fixture(params=[WITH_COLUMN, IN_TITLE], ids=["column", "in the title"])
def titles(request):
    return Titles.of(request.param)


@pytest.mark.parametrize(
    ("text", "movie"),
    [
        ("Toy Story", 1),
        ("  toy   STORY (1995) ", 1),
        ("The Matrix", 2),
        ("Matrix, The (1999)", 2),
        ("matrix, the", 2),
        ("Hamlet (1948)", 3),
        ("Seven", 6),
        ("Se7en (1995)", 6),
        ("Seven (a.k.a. Se7en)", 6),
        ("The City of Lost Children", 7),
        ("La cité des enfants perdus", 7),
        ("Cité des enfants perdus, La", 7),
        ("L'Avventura", 8),
        ("9", 9),
        ("Crazy, Stupid, Love", 10),
        ("The Good, the Bad and the Ugly", 13),
        ("77777", 77_777),
        ("4", 4),
        ("movieId 9", 9),
        (" movieid 4 ", 4),
    ],
)
def test_a_title_is_found_as_people_write_it(titles, text, movie):
    assert titles.find(text) == movie


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hamlet", "give one of Hamlet (1948); Hamlet (2000), movieId 4; Hamlet (2000), movieId 5"),
        ("hamlet (2000)", "give one of Hamlet (2000), movieId 4; Hamlet (2000), movieId 5"),
        ("Toy Stroy", "no movie has the title 'Toy Stroy': did you mean Toy Story (1995)?"),
        ("star wars", "did you mean Star Wars: Episode IV - A New Hope?"),
        ("Matrix", "did you mean The Matrix (1999)?"),
        ("Toy Story (1812)", "did you mean Toy Story (1995)?"),
        ("qqqqqqqqq", "no movie has the title 'qqqqqqqqq': check its spelling"),
        ("", "no movie has the title '': check its spelling"),
    ],
)
def test_an_unclear_title_is_an_error_with_those_that_may_be_meant(titles, text, said):
    with pytest.raises(ValueError, match="title") as error:
        titles.find(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "movies"), [("Hamlet", [3, 4, 5]), ("hamlet (2000)", [4, 5]), ("Toy Stroy", [1]), ("qqqqqqqqq", [])]
)
def test_an_unclear_title_has_choices(titles, text, movies):
    with pytest.raises(TitleError) as error:
        titles.find(text)
    assert [title.movie_id for title in error.value.choices] == movies


def test_the_identifier_of_a_movie_is_found_where_a_title_is_a_number():
    titles = Titles.of_rows([(9, "Heat", 1995), (10, "9", 2009)])
    assert (titles.find("9"), titles.find("movieId 9")) == (10, 9)


def test_titles_are_shown_with_the_article_in_front(titles):
    assert titles.text_of(2) == "The Matrix (1999)"
    assert titles.text_of(12) == "Star Wars: Episode IV - A New Hope"
    assert titles.text_of(11) == "movie 11"
    assert titles.names[7] == "The City of Lost Children"
    assert titles.names[8] == "L'Avventura"


def test_without_movies_there_are_no_titles():
    assert Titles.of(None).text_of(7) == "movie 7"
    assert Titles.of(None).find("7") == 7
