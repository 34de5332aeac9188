"""The view of recommendations: for a user, for liked movies, and similar movies."""

from __future__ import annotations

import re
from html import unescape

import polars as pl
import pytest
from integration.page.recommending_data import MOVIES, RATINGS, RecommendingData

from airflow_movielens.recommending.registry import ModelRegistry

URL = "/movielens/recommendations/"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return RecommendingData.make(tmp_path_factory.mktemp("recommendations"))


@pytest.fixture
def data(made, data_root, catalogue):
    """Return a copy of the data in the data root, which the catalogue knows, with titles."""
    copy = made.copied(data_root)
    copy.record(catalogue)
    catalogue.save_movies(MOVIES)
    return copy


def text_of(response):
    """Return the text that a page shows, without tags."""
    assert response.status_code == 200, response.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def movies_of(response):
    """Return the identifiers of the movies that a page lists, best first."""
    assert response.status_code == 200, response.text
    return [int(movie) for movie in re.findall(r"/movies/(\d+)/similar/", response.text)]


def test_without_a_model_the_view_says_what_to_do(page):
    for path in (URL, "/movielens/movies/1/similar/"):
        assert "No model has been trained yet. Unpause the Dag 07_recommend" in text_of(page.get(path))


def test_a_user_has_what_was_published(page, data):
    response = page.get(URL, params={"user": 7})
    expected = pl.read_parquet(data.published).filter(pl.col("userId") == 7)
    assert movies_of(response) == expected["movieId"].to_list()
    text = text_of(response)
    best = expected.row(0, named=True)
    rated = ", ".join(f"The Movie {reason['movieId']} {reason['rating']:.1f}" for reason in best["reasons"])
    assert f"1 The Movie {best['movieId']} ({1950 + best['movieId']}) Drama, War because you rated {rated}" in text
    assert f"By the model {data.champion}" in text
    assert "60 users have had recommendations since 2026-11-29 02:03 UTC" in text


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("60", "User 60 is not in {file}, which has users from 0 to 59. For a new user, type in movies instead."),
        ("x7", "x7 is not a userId: type"),
        ("99999999999999", "99999999999999 is not a userId: type"),
    ],
)
def test_an_unknown_user_is_told_what_to_type(page, data, user, said):
    assert said.format(file=data.published) in text_of(page.get(URL, params={"user": user}))


def test_a_damaged_file_of_recommendations_is_said(page, data):
    data.published.write_bytes(data.published.read_bytes()[:100])
    text = text_of(page.get(URL, params={"user": 7}))
    assert f"{data.published} holds no recommendations (" in text
    assert "clear the task that writes it" in text


def test_typed_movies_are_answered_at_once_by_the_champion(page, data):
    response = page.get(URL, params={"like": ["the movie 3", "", "Movie 5, The (1955)", "Hamlet (2000)"]})
    likes = [(1_000, movie, 5.0, second) for second, movie in enumerate([3, 5, 39])]
    expected = data.model.recommend(pl.DataFrame(likes, RATINGS.schema, orient="row"))
    assert movies_of(response) == expected["movieId"].to_list()
    text = text_of(response)
    assert "Recommended to a new user who likes The Movie 3 (1953), The Movie 5 (1955), Hamlet (2000)" in text
    assert f"By the champion {data.champion}" in text
    assert "because you rated" in text
    assert re.findall(r'name="like"[^>]* value="([^"]*)"', response.text) == [
        "the movie 3", "Movie 5, The (1955)", "Hamlet (2000)", "",
    ]  # fmt: skip


def test_a_title_of_several_movies_has_choices_that_keep_the_others(page, data):
    response = page.get(URL, params={"like": ["Hamlet", "the movie 3"]})
    assert "'Hamlet' is the title of several movies." in text_of(response)
    assert "Recommended to" not in response.text
    links = {
        unescape(title): unescape(link)
        for link, title in re.findall(r'<li><a href="([^"]+\?like[^"]+)">([^<]+)<', response.text)
    }
    assert list(links) == ["Hamlet (1948)", "Hamlet (2000)"]
    assert "a new user who likes Hamlet (1948), The Movie 3 (1953)" in text_of(page.get(links["Hamlet (1948)"]))


def test_movies_with_the_same_title_and_year_are_told_apart(page, data):
    response = page.get(URL, params={"similar": "twins (1988)"})
    assert "Did you mean: Twins (1988), movieId 40 Twins (1988), movieId 41" in text_of(response)
    (link,) = re.findall(r'href="([^"]+)">Twins \(1988\), movieId 41', response.text)
    assert page.get(unescape(link)).url.path == "/movielens/movies/41/similar/"


def test_a_misspelled_title_has_suggestions(page, data):
    response = page.get(URL, params={"like": "Hamlat"})
    assert "No movie has the title 'Hamlat'. Did you mean: Hamlet" in text_of(response)
    assert "No movie has the title 'qqqqqq': check its spelling." in text_of(page.get(URL, params={"like": "qqqqqq"}))


def test_a_movie_with_too_few_likes_has_no_influence(page, data):
    text = text_of(page.get(URL, params={"like": ["movieId 777", "the movie 3"]}))
    assert "movie 777 has no influence, because too few users like it." in text
    assert "a new user who likes movie 777, The Movie 3 (1953)" in text


def test_similar_movies_are_found_by_title_and_by_identifier(page, data):
    response = page.get(URL, params={"similar": "the movie 3"})
    assert response.url.path == "/movielens/movies/3/similar/"
    assert "Similar to The Movie 3 (1953)" in text_of(response)
    assert movies_of(response) == data.model.similar(3)["movieId"].to_list()
    assert "What to recommend to somebody who likes it" in response.text


def test_an_unclear_original_has_choices(page, data):
    response = page.get(URL, params={"similar": "Hamlet"})
    assert "Did you mean: Hamlet (1948) Hamlet (2000)" in text_of(response)
    (link,) = re.findall(r'href="([^"]+)">Hamlet \(1948\)', response.text)
    assert page.get(unescape(link)).url.path == "/movielens/movies/38/similar/"


def test_a_movie_that_the_model_does_not_know_is_said(page, data):
    text = text_of(page.get("/movielens/movies/777/similar/"))
    assert "the model knows too few likes of movie 777: it has 40 movies, each liked by at least 5 users." in text


def test_a_registry_without_a_champion_is_said(page, data_root, catalogue, made):
    copy = made.copied(data_root)
    copy.record(catalogue)
    for event in sorted((copy.registry / "history").iterdir())[1:]:
        event.unlink()
    text = text_of(page.get(URL, params={"like": "3"}))
    assert f"the registry {copy.registry} has no champion" in text


def test_without_titles_identifiers_are_shown_and_typed(page, made, data_root, catalogue):
    made.copied(data_root).record(catalogue)
    text = text_of(page.get(URL, params={"like": "3", "user": "7"}))
    assert "Titles are not known yet, so movies have their identifiers." in text
    assert "Recommended to a new user who likes movie 3" in text
    assert "Titles are not known here: type the movieId." in text_of(page.get(URL, params={"like": "Heat"}))


def test_what_is_typed_is_shown_as_text(page, data):
    response = page.get(URL, params={"like": "<script>alert(1)</script>", "user": "<b>1</b>"})
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert "<b>1" not in response.text


def test_only_registries_of_the_catalogue_can_be_read(page, data, made):
    for path in (URL, "/movielens/movies/3/similar/"):
        response = page.get(path, params={"registry": str(made.registry), "like": "3"})
        assert response.status_code == 404
        assert "The catalogue has no registry" in response.text


def test_the_last_published_file_is_shown(page, data, catalogue):
    from airflow_movielens.storage.catalogue import Record

    later = data.folder / "later.parquet"
    pl.read_parquet(data.published).filter(pl.col("userId") == 8).write_parquet(later)
    facts = {"model": data.champion, "users": 1, "registry": str(data.registry)}
    for hour, error in ((2, None), (3, "No space left.")):
        at = f"2026-11-30T{hour:02}:00:00Z"
        path = str(later) if error is None else "/nowhere.parquet"
        last = Record("recommendations", at, path, succeeded=error is None, error=error, task=None, facts=facts)
        catalogue.add(last)
    text = text_of(page.get(URL, params={"user": 7}))
    assert f"User 7 is not in {later}" in text
    assert "The last publication of recommendations failed ( 2026-11-30 03:00 UTC ): No space left." in text
    assert movies_of(page.get(URL, params={"user": 8}))


def test_the_champion_of_the_registry_answers_after_a_rollback(page, data):
    ModelRegistry(data.registry).rollback(by="ada", reason="a test")
    assert f"By the champion {data.previous}" in text_of(page.get(URL, params={"like": "3"}))
