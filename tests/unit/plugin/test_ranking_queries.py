"""The queries of rankings, on files as the operators write them."""

from __future__ import annotations

import polars as pl
import pytest

from airflow_movielens.plugin.queries.files import QueryFile
from airflow_movielens.plugin.queries.rankings import course, table
from airflow_movielens.ranking import METHODS, RankingOptions, rank_large, rank_movies
from airflow_movielens.ranking.manifest import RankingSources
from airflow_movielens.storage.files import write_ranking

ENDINGS = ["csv", "csv.gz", "csv.zst", "json", "json.gz", "ndjson", "ndjson.gz", "ndjson.zst", "parquet"]
MOVIES = pl.DataFrame(
    {
        "movieId": [1, 2, 3, 4],
        "title": ['Toy "Story", The (1995)', "1984", "Été\n(1996)", None],
        "year": [1995, 1984, None, None],
        "genres": ["Animation|Comedy", "Drama", "Comedy|Drama", None],
    },
    schema_overrides={"movieId": pl.Int32, "year": pl.Int32},
)


def ratings(*stars_of_movies):
    """Return ratings of movies 1, 2, …, given the stars of each."""
    rows = [
        (user, movie, stars, 1_000_000 + user)
        for movie, given in enumerate(stars_of_movies, 1)
        for user, stars in enumerate(given, 1)
    ]
    schema = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


WEEK_AGO = ratings([3, 3, 3], [5, 5, 5, 5], [4, 4, 4], [1, 1, 1])
TODAY = ratings([5, 5, 5, 5, 5], [5, 5, 5, 5], [2, 2, 2], [3, 3, 3])


def written(folder, name, given, method="bayesian", movies=MOVIES, **options):
    """Write a ranking as the operator does, and return it as the file of a query."""
    chosen = RankingOptions(method, **options)
    ranking = rank_large(given.lazy(), chosen, movies)
    path = str(folder / name)
    write_ranking(ranking, path, chosen, RankingSources([], [], None, []))
    return QueryFile(path, path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_table(tmp_path, ending):
    files = [written(tmp_path, f"{name}.{ending}", given) for name, given in [("b", TODAY), ("a", WEEK_AGO)]]
    found = table(files)
    expected = rank_movies(TODAY, "bayesian", movies=MOVIES, compare_to=rank_movies(WEEK_AGO, "bayesian"))
    rows = [{**row, "previous": [row["previous_rank"]]} for row in expected.to_dicts()]
    for row in rows:
        for name in ("previous_rank", "rank_change", "is_new"):
            del row[name]
    assert found["rows"] == rows
    assert (found["movies"], found["found"], found["genres"], found["problems"]) == (4, 4, None, [None])
    assert [row["rank"] for row in found["rows"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson.zst", "parquet"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_rank_score_and_support(tmp_path, method, ending):
    file = written(tmp_path, f"ranking.{ending}", TODAY, method)
    rows = table([file], limit=2)["rows"]
    assert [row["rank"] for row in rows] == [1, 2]
    assert [row["movieId"] for row in rows] == [1, 2]
    assert rows[0]["num_ratings"] == 5
    expected = rank_movies(TODAY, method)
    assert [row["score"] for row in rows] == pytest.approx(expected["score"].head(2).to_list(), abs=1e-6)


def test_movies_that_an_earlier_ranking_lacks_have_no_rank_there(tmp_path):
    files = [
        written(tmp_path, "today.csv", TODAY),
        written(tmp_path, "week.csv", WEEK_AGO.filter(pl.col("movieId") != 1)),
        QueryFile("s3://bucket/month.csv", str(tmp_path / "copy.csv")),
    ]
    found = table(files)
    assert {row["movieId"]: row["previous"] for row in found["rows"]} == {
        1: [None, None],
        2: [1, None],
        4: [3, None],
        3: [2, None],
    }
    assert found["problems"] == [None, "there is no file s3://bucket/month.csv"]


def test_genres_are_ranked_and_compared_each_on_its_own(tmp_path):
    files = [
        written(tmp_path, name, given, by="genre") for name, given in [("b.parquet", TODAY), ("a.parquet", WEEK_AGO)]
    ]
    first = table(files)
    assert (first["genres"], first["genre"]) == (["Animation", "Comedy", "Drama"], "Animation")
    comedy = table(files, genre="Comedy")
    assert [(row["movieId"], row["rank"], row["previous"]) for row in comedy["rows"]] == [(1, 1, [2]), (3, 2, [1])]
    assert table(files, genre="Western")["genre"] == "Animation"
    (of_movie,) = course(files[:1], movie_id=1)
    assert [(row["genre"], row["rank"]) for row in of_movie["rows"]] == [("Animation", 1), ("Comedy", 1)]


def test_a_search_keeps_ranks(tmp_path):
    file = written(tmp_path, "ranking.csv", TODAY)
    assert [(row["rank"], row["movieId"]) for row in table([file], search="été")["rows"]] == [(4, 3)]
    assert [row["movieId"] for row in table([file], search="(1995)")["rows"]] == [1]
    without = written(tmp_path, "without.csv", TODAY, movies=None)
    found = table([without], search="story", titled=[1, 99])
    assert [row["movieId"] for row in found["rows"]] == [1]
    assert (found["movies"], found["found"]) == (4, 1)


@pytest.mark.parametrize("ending", ENDINGS)
def test_rankings_without_rows_are_empty(tmp_path, ending):
    file = written(tmp_path, f"empty.{ending}", TODAY.clear())
    assert table([file])["rows"] == []
    assert course([file], movie_id=1) == [{"rows": [], "problem": None}]
    by_mean = written(tmp_path, f"mean.{ending}", TODAY.clear(), "mean")
    assert table([by_mean])["rows"] == []


def test_the_course_of_a_movie_has_gaps_and_problems(tmp_path):
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1")
    files = [
        written(tmp_path, "1.json", WEEK_AGO),
        written(tmp_path, "2.csv", TODAY.filter(pl.col("movieId") > 1), "mean"),
        QueryFile(str(damaged), str(damaged)),
        QueryFile("s3://b/4.csv", "/nowhere", "s3://b/4.csv cannot be read: access is denied"),
        written(tmp_path, "5.csv.gz", TODAY, "mean"),
    ]
    found = course(files, movie_id=1)
    assert [[row["rank"] for row in day["rows"]] for day in found] == [[3], [], [], [], [1]]
    assert found[4]["rows"][0] == {
        "rank": 1, "movieId": 1, "title": MOVIES["title"][0], "score": 5.0, "num_ratings": 5, "avg_rating": 5.0,
    }  # fmt: skip
    problems = [day["problem"] for day in found]
    assert problems[:2] == [None, None]
    assert problems[2].startswith(f"{damaged} cannot be read as a ranking: ")
    assert problems[3] == "s3://b/4.csv cannot be read: access is denied"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "movieId,title\n1,Heat\n", "it lacks the columns rank, score, num_ratings"),
        ("a.csv", "", "cannot be read as a ranking"),
        ("a.csv", "rank,movieId,score,num_ratings\n1,1,0.5,3\n2,7", "is damaged: values are missing in the columns"),
        ("a.csv", "rank,movieId,score,num_ratings\n1,one,0.5,3\n", "cannot be read as a ranking"),
        ("a.json", "[{", "cannot be read as a ranking"),
        ("a.ndjson", '{"rank": 1', "cannot be read as a ranking"),
        ("a.parquet", "PAR1", "cannot be read as a ranking"),
        ("a.xlsx", "", "cannot tell the file format"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, problem):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(ValueError, match=problem) as error:
        table([QueryFile(str(file), str(file))])
    assert str(file) in str(error.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_was_cut_off_is_damaged(tmp_path, ending):
    file = written(tmp_path, f"cut.{ending}", TODAY)
    content = file.local().read_bytes()
    file.local().write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"is damaged|cannot be read as a ranking"):
        table([file])
