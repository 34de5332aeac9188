"""Movies, rankings and recommendations in tables of PostgreSQL."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.operators import MovielensToPostgresOperator
from airflow_movielens.ranking import RankingOptions, rank_movies
from airflow_movielens.ranking.manifest import RankingSources
from airflow_movielens.ratings.schema import MOVIES, RATINGS
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.storage.files import write_ranking

FILMS = [
    (1, "Heat", 1995, "Action|Crime"),
    (2, 'He said "no", twice', None, None),
    (3, "Line\nbreak", 2001, "Drama"),
    (4, None, None, "(no genres listed)"),
    (5, "\\.", 1931, "Crime"),
    (6, "Amélie (Fabuleux destin d'Amélie Poulain, Le)", 2001, "Comedy|Romance"),
]


def load(path, table, content, **arguments):
    operator = MovielensToPostgresOperator(
        task_id="load", postgres_conn_id="warehouse", table=table, input_path=path, content=content, **arguments
    )
    return operator.execute({})


def again(warehouse, *arguments, **options):
    """Load the same rows again, and check that nothing is written."""
    before = warehouse.written(arguments[1])
    assert load(*arguments, **options).items() >= {"inserted": 0, "updated": 0, "deleted": 0}.items()
    assert warehouse.written(arguments[1]) == before


@pytest.fixture
def ratings():
    rows = [
        (user, movie, 5.0 - (user * movie) % 4, 974_678_400 + user) for user in range(1, 9) for movie in range(1, 6)
    ]
    return pl.DataFrame(rows, RATINGS.polars_schema(), orient="row")


@pytest.fixture
def movies():
    return pl.DataFrame(FILMS, MOVIES.polars_schema(), orient="row")


def ranked(ratings, path, method="bayesian", **options):
    """Rank, write the ranking, and return it."""
    ranking = rank_movies(ratings, method, **options)
    write_ranking(ranking, str(path), RankingOptions(method), RankingSources([], [], None, []))
    return ranking


@pytest.mark.parametrize("name", ["movies.parquet", "movies.csv", "movies.ndjson", "movies.json"])
def test_movies_are_loaded_from_every_format(warehouse, movies, tmp_path, name):
    path = tmp_path / name
    getattr(movies, {"csv": "write_csv"}.get(path.suffix[1:], f"write_{path.suffix[1:]}"))(path)
    assert load(path, "movies", "movies", create_table=True)["inserted"] == 6
    assert warehouse("SELECT * FROM movies ORDER BY 1") == FILMS
    again(warehouse, path, "movies", "movies")


def test_the_whole_table_is_replaced(warehouse, movies, tmp_path):
    movies.write_csv(tmp_path / "all.csv")
    load(tmp_path / "all.csv", "movies", "movies", create_table=True)
    # Without the year, as in GroupLens' file.
    (tmp_path / "few.csv").write_text('movieId,title,genres\n1,"Heat",Action|Crime\n7,Se7en,Thriller\n')
    result = load(tmp_path / "few.csv", "movies", "movies")
    assert result == {"table": "public.movies", "partition": None, "rows": 2, "inserted": 1, "updated": 1, "deleted": 5}
    assert warehouse("SELECT * FROM movies ORDER BY 1") == [
        (1, "Heat", None, "Action|Crime"),
        (7, "Se7en", None, "Thriller"),
    ]


def test_movies_of_an_api(warehouse, monkeypatch):
    films = [{"movieId": 1, "title": "Heat", "year": 1995, "genres": "Action"}]
    with serve(lambda _path, query, _number: page_of(films, query) if films else Response({}, 404)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps({"conn_type": "movielens", "host": server.base_url}))
        load(None, "movies", "movies", movielens_conn_id="source", create_table=True)
        assert warehouse("SELECT * FROM movies") == [(1, "Heat", 1995, "Action")]
        films.clear()
        with pytest.raises(AirflowFailException, match="404"):
            load(None, "movies", "movies", movielens_conn_id="source")
    assert len(warehouse("SELECT * FROM movies")) == 1


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson", "json"])
def test_a_ranking_by_genre_with_movement(warehouse, ratings, movies, tmp_path, ending):
    path = tmp_path / f"ranking.{ending}"
    before = rank_movies(ratings.head(30), "bayesian", by="genre", movies=movies)
    ranking = ranked(ratings, path, by="genre", movies=movies, compare_to=before.filter(pl.col("movieId") != 3))
    assert load(path, "ranking", "ranking", create_table=True)["inserted"] == len(ranking)
    names = ", ".join(f'"{name}"' for name in ranking.columns)
    rows = warehouse(f"SELECT {names} FROM ranking ORDER BY genre, rank")
    assert rows == ranking.sort("genre", "rank").rows()
    assert {row[-1] for row in rows} == {True, False}
    again(warehouse, path, "ranking", "ranking")


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson", "json"])
def test_a_ranking_of_numbers(warehouse, ratings, tmp_path, ending):
    path = tmp_path / f"ranking.{ending}"
    ranking = ranked(ratings, path, "trending", compare_to=rank_movies(ratings, "popular").head(2))
    load(path, "ranking", "ranking", create_table=True)
    names = ", ".join(f'"{name}"' for name in ranking.columns)
    assert warehouse(f"SELECT {names} FROM ranking ORDER BY rank") == ranking.rows()
    again(warehouse, path, "ranking", "ranking")


def test_rankings_of_many_days_in_one_table(warehouse, ratings, tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    ranked(ratings, first)
    ranked(ratings.filter(pl.col("movieId") > 2), second)
    load(first, "best", "ranking", partition="2000-11-20", create_table=True)
    assert load(second, "best", "ranking", partition=date(2000, 11, 21))["inserted"] == 3
    result = load(second, "best", "ranking", partition="2000-11-20")
    assert result.items() >= {"partition": "2000-11-20", "rows": 3, "inserted": 0, "deleted": 2}.items()
    days = warehouse('SELECT partition, count(*), min("movieId") FROM best GROUP BY 1 ORDER BY 1')
    assert days == [(date(2000, 11, 20), 3, 3), (date(2000, 11, 21), 3, 3)]
    (key,) = warehouse("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'best_pkey'")
    assert key == ('PRIMARY KEY (partition, "movieId")',)
    again(warehouse, second, "best", "ranking", partition="2000-11-21")
    with pytest.raises(AirflowFailException, match="has the column partition, which is NOT NULL without a default"):
        load(first, "best", "ranking")


def test_columns_that_a_ranking_lacks_become_null(warehouse, ratings, tmp_path):
    ranked(ratings, tmp_path / "moved.csv", compare_to=rank_movies(ratings, "popular").head(3))
    load(tmp_path / "moved.csv", "best", "ranking", create_table=True)
    warehouse("ALTER TABLE best ALTER is_new DROP NOT NULL, ADD note text DEFAULT 'mine'")
    ranked(ratings, tmp_path / "plain.csv")
    assert load(tmp_path / "plain.csv", "best", "ranking").items() >= {"updated": 5, "inserted": 0}.items()
    assert set(warehouse("SELECT previous_rank, is_new, note FROM best")) == {(None, None, "mine")}
    ranked(ratings, tmp_path / "other.csv", "wilson")
    with pytest.raises(
        AirflowFailException, match=r"has no column like_share, .* ADD COLUMN \"like_share\" double precision"
    ):
        load(tmp_path / "other.csv", "best", "ranking")


def test_recommendations_have_their_reasons_as_json(warehouse, driver, ratings, tmp_path):
    path = tmp_path / "recommendations.parquet"
    model = train(ratings, ModelParameters(lambda_1=5.0, lambda_2=5.0, min_likes=2))
    made = model.recommend(ratings.filter(pl.col("movieId") < 5), 2, users=[99], explain=True)
    made.write_parquet(path)
    assert load(path, "recommendations", "recommendations", create_table=True)["rows"] == len(made) > 8
    found = warehouse('SELECT "userId", rank, "movieId", score, reasons FROM recommendations ORDER BY 1, 2')
    for row, expected in zip(found, made.select("userId", "rank", "movieId", "score").rows(), strict=True):
        assert row[:4] == pytest.approx(expected)
    for (*_, reasons), (expected,) in zip(found, made.select("reasons").rows(), strict=True):
        assert reasons == [pytest.approx(reason) for reason in expected]
    assert any(row[4] for row in found)
    assert not all(row[4] for row in found)
    again(warehouse, path, "recommendations", "recommendations")
    best = warehouse("SELECT count(*) FROM recommendations WHERE (reasons->0->>'rating')::real >= 4")
    assert best[0][0] > 0


@pytest.mark.parametrize(
    ("content", "name", "text", "message"),
    [
        ("movies", "a.csv", "userId,rating\n1,2\n", "lacks the columns movieId, title"),
        ("ranking", "a.csv", "movieId,title\n1,Heat\n", "lacks the columns num_ratings"),
        ("ranking", "a.ndjson", '{"movieId": 1, "num_ratings": "many"}\n', "line 1: num_ratings: found 'many'"),
        (
            "ranking",
            "a.csv",
            "movieId,num_ratings,is_new\n1,1,maybe\n",
            "is_new: found 'maybe', expected true or false",
        ),
        ("recommendations", "a.csv", "userId,rank\n1,1\n", r"a\.csv cannot be read as recommendations in Parquet"),
    ],
)
def test_a_file_of_another_content_is_refused(tmp_path, content, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(AirflowFailException, match=message):
        load(tmp_path / name, "best", content, create_table=True)


@pytest.mark.parametrize(("name", "text"), [("a.json", "[]"), ("a.ndjson", "")])
def test_a_ranking_without_rows_empties_its_table(warehouse, ratings, tmp_path, name, text):
    ranked(ratings, tmp_path / "full.csv")
    load(tmp_path / "full.csv", "best", "ranking", create_table=True)
    (tmp_path / name).write_text(text)
    assert load(tmp_path / name, "best", "ranking")["deleted"] == 5
    with pytest.raises(
        AirflowFailException, match=r"the input has no rows, which would tell the columns of .*public\.new"
    ):
        load(tmp_path / name, "new", "ranking", create_table=True)


def test_a_parquet_file_without_reasons_is_refused(warehouse, ratings, tmp_path):
    ratings.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(AirflowFailException, match=r"holds no recommendations: it has the columns userId \(Int32\)"):
        load(tmp_path / "a.parquet", "best", "recommendations", create_table=True)
