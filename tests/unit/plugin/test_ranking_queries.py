"""The queries of rankings, on files as the operators write them."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from airflow_movielens.plugin.queries.courses import course
from airflow_movielens.plugin.queries.files import QueryFile
from airflow_movielens.plugin.queries.rankings import table
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


def csv_file(folder, *lines, name="a.csv"):
    """Write a ranking by hand."""
    (folder / name).write_text("".join(f"{line}\n" for line in lines), newline="")
    return QueryFile(str(folder / name), str(folder / name))


HEAD = "rank,movieId,title,year,genres,score,num_ratings"


def test_lines_of_a_title_are_no_rows(tmp_path):
    lines = [
        HEAD,
        '1,5,"A ""title""',
        '9,7,of several lines",1999,Drama,0.5,3',
        '2,77,"Seven, 7",,,0.25,4',
        "3,7,x\x85y,,,0,2",
    ]
    (found,) = course([csv_file(tmp_path, *lines)], movie_id=7)
    row = {"rank": 3, "movieId": 7, "title": "x\x85y", "year": None, "genres": None, "score": 0.0, "num_ratings": 2}
    assert found == {"rows": [row], "problem": None}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_line_end_and_any_order_of_columns_gives_the_course(tmp_path, end):
    expected = {"rank": 2, "movieId": 7, "score": 0.25, "num_ratings": 4}
    for number, text in enumerate(
        ["rank,movieId,score,num_ratings;1,1,0.5,7;2,7,0.25,4;", "score,num_ratings,rank,movieId;0.5,7,1,1;0.25,4,2,7;"]
    ):
        file = tmp_path / f"{number}.csv"
        file.write_text(text.replace(";", end), newline="")
        (found,) = course([QueryFile(str(file), str(file))], movie_id=7)
        assert found == {"rows": [expected], "problem": None}


@pytest.mark.parametrize("row", ["2,7,,,,,4", "2,7,x,,,one,4", "2,7,x,,,0.5"])
def test_a_damaged_row_of_the_movie_is_named(tmp_path, row):
    file = csv_file(tmp_path, HEAD, "1,1,x,,,0.5,3", row)
    (found,) = course([file], movie_id=7)
    assert found["rows"] == []
    assert found["problem"].startswith(f"{file.name} cannot be read as a ranking: ")


def test_rankings_that_are_too_large_are_left_out_of_the_course(tmp_path):
    good = written(tmp_path, "good.csv", TODAY)
    bombs = {"a.csv.gz": b"rank,movieId\n", "b.json.gz": b"[", "c.ndjson.gz": b""}
    for name, start in bombs.items():
        (tmp_path / name).write_bytes(gzip.compress(start + b" " * 2**25, compresslevel=1) * 3)
    with (tmp_path / "d.csv").open("wb") as sparse:
        sparse.truncate(2**40)
    ones = pl.select(rank=pl.repeat(1, 2_000_001, dtype=pl.Int64))
    ones.with_columns(movieId="rank", score="rank", num_ratings="rank").write_parquet(tmp_path / "e.parquet")
    large = [QueryFile(name, str(tmp_path / name)) for name in (*bombs, "d.csv", "e.parquet")]
    found = course([good, *large, good], movie_id=1)
    assert [[row["rank"] for row in day["rows"]] for day in found] == [[1], *[[]] * 5, [1]]
    assert [day["problem"] for day in found[1:5]] == [
        f"{file.name} cannot be read as a ranking: it has more than 67,108,864 bytes of text" for file in large[:4]
    ]
    assert found[5]["problem"] == (
        "e.parquet cannot be read as a ranking: it has 2,000,001 rows, but a page reads at most 2,000,000"
    )
