"""The rankings on the page: rankings of days and of 30 days, as operators write them, in a catalogue."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from integration.bucket import ATOMIC_URL, atomic_bucket_at

from airflow_movielens.plugin.queries.local_files import local_files
from airflow_movielens.ranking import RankingOptions, rank_large
from airflow_movielens.ranking.manifest import RankingSources, RatingsFile
from airflow_movielens.storage.catalogue import Catalogue, Record, TaskRun
from airflow_movielens.storage.files import write_ranking

LAST = date(2015, 3, 31)
DAYS = [LAST - timedelta(days=number) for number in reversed(range(40))]
MOVIES = pl.DataFrame(
    {
        "movieId": [1, 2, 3, 4],
        "title": ["Toy Story", "<b>Heat</b> (1995)", "Casino (1995)", "Rare (1995)"],
        "year": [1995] * 4,
        "genres": ["Animation|Comedy", "Crime|Drama", "Crime|Drama", "(no genres listed)"],
    },
    schema_overrides={"movieId": pl.Int32, "year": pl.Int32},
)
RATINGS = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}


def ratings(day):
    """Return the ratings of a day: Casino is best until 20 March, then Toy Story is; Rare comes and goes."""
    stars = {1: 5.0 if day > date(2015, 3, 20) else 3.0, 2: 4.0, 3: 4.5}
    if day.day % 2:
        stars[4] = 0.5
    at = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    rows = [(user, movie, rating, at) for movie, rating in stars.items() for user in range(1, 10)]
    return pl.DataFrame(rows, RATINGS, orient="row")


@pytest.fixture
def ranked(data_root, catalogue):
    """Return a function that ranks the ratings of a day; see `ranks_in`."""
    return ranks_in(data_root, catalogue)


def ranks_in(root, catalogue):
    """Return a function that ranks the ratings of a day, writes the file, and records it; and returns its path."""

    def rank(day, *, folder="rankings", ending="csv", days=1, movies=MOVIES, dag_id="06_partitioned", **options):
        chosen = RankingOptions(**{"method": "bayesian", **options})
        inputs = RatingsFile("r.parquet", "0" * 64, 1, 36, str(day - timedelta(days=days - 1)), str(day + timedelta(1)))
        path = f"{root}/{folder}/{chosen.method}/{day}.{ending}"
        ranking = rank_large(ratings(day).lazy(), chosen, movies)
        manifest = write_ranking(ranking, path, chosen, RankingSources([inputs], [], None, []))
        facts = {**manifest.summary(), "inputs": None, "movies": None, "compare_to": None}
        catalogue.add(
            Record(
                "ranking",
                f"{day + timedelta(1)}T00:10:00Z",
                path,
                succeeded=True,
                error=None,
                task=task_of(day, dag_id),
                facts=facts,
            )
        )
        return path

    return rank


def task_of(day, dag_id="06_partitioned"):
    return TaskRun(dag_id, f"run_{day}", "rank", -1, 1)


def text_of(response, status=200):
    """Return what a page says, with one space between its words."""
    assert response.status_code == status
    body = response.text.partition("</head>")[2]
    words = " ".join(unescape(re.sub("<[^>]*>", " ", body)).split())
    return re.sub(" (?=[.,])", "", words)


def rows_of(response):
    """Return the texts of the cells of the table, row by row."""
    assert response.status_code == 200
    body = response.text.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[" ".join(unescape(re.sub("<[^>]*>", " ", cell)).split()) for cell in row] for row in cells]


def test_without_rankings_the_page_says_what_to_do(page, data_root):
    said = text_of(page.get("/movielens/rankings/"))
    assert "No movies have been ranked yet. Unpause a Dag that ranks movies, such as 06_rank" in said
    assert f"under {data_root}." in said


def test_the_last_ranking_has_titles_support_score_and_movement(page, ranked):
    for back in (0, 1, 7, 32):
        ranked(LAST - timedelta(days=back))
    response = page.get("/movielens/rankings/")
    assert rows_of(response) == [
        ["1", "= unchanged", "▲ up 2", "Toy Story (1995) Animation, Comedy", "9", "3.624", "5.00"],
        ["2", "= unchanged", "▼ down 1", "Casino (1995) Crime, Drama", "9", "3.583", "4.50"],
        ["3", "= unchanged", "▼ down 1", "<b>Heat</b> (1995) Crime, Drama", "9", "3.541", "4.00"],
        ["4", "new", "= unchanged", "Rare (1995)", "9", "3.252", "0.50"],
    ]
    said = text_of(response)
    assert "Ranking of 2015-03-31" in said
    assert "the mean rating as if the movie had 100 further ratings that equal the mean of all ratings" in said
    assert "Movement in 7 days since 2015-03-24" in said
    assert "Movement in 30 days since 2015-02-27" in said
    assert "<h1>Ranking of 2015-03-31</h1>" in response.text
    assert "/dags/06_partitioned/runs/run_2015-03-31/tasks/rank" in response.text


def test_movement_is_not_invented(page, ranked):
    ranked(LAST)
    response = page.get("/movielens/rankings/")
    assert rows_of(response)[0][:2] == ["1", "Toy Story (1995) Animation, Comedy"]
    said = text_of(response)
    assert "There is no ranking of 7 to 10 days earlier to compare with." in said
    assert "There is no ranking of 30 to 37 days earlier to compare with." in said
    week_ago = ranked(LAST - timedelta(days=7))
    Path(week_ago).write_text("damaged")
    response = page.get("/movielens/rankings/")
    assert [row[1] for row in rows_of(response)] == ["\N{EN DASH}"] * 4
    assert f"No movement is shown for an earlier ranking: {week_ago} cannot be read as a ranking" in text_of(response)


def test_a_day_a_method_and_a_kind_can_be_chosen(page, ranked):
    for method in ("bayesian", "trending"):
        for day in DAYS[-3:]:
            ranked(day, method=method)
    ranked(LAST, folder="trailing", days=30, ending="parquet", method="wilson")

    # The longest windows come first.
    said = text_of(page.get("/movielens/rankings/"))
    assert "By wilson, over 30 days up to this one" in said
    assert "trailing/{method}/{day}.parquet (30 days)" in said
    assert "The score is the share of likes that the movie has at least, with a confidence of 0.95." in said

    chosen = {"ranking": "rankings/{method}/{day}.csv", "method": "trending", "day": "2015-03-30"}
    response = page.get("/movielens/rankings/", params=chosen)
    said = text_of(response)
    assert "Ranking of 2015-03-30 By trending, over 1 day up to this one" in said
    assert "← 2015-03-29 2015-03-31 →" in said
    assert "a half-life of 7 to 365 days" in said
    assert "<option selected>trending</option>" in response.text

    # A method that this kind does not have, and no day, as a form sends it.
    said = text_of(page.get("/movielens/rankings/", params={**chosen, "method": "imdb", "day": ""}))
    assert "Ranking of 2015-03-31 By bayesian, over 1 day" in said


def test_genres_are_ranked_each_on_its_own(page, ranked):
    for back in (0, 7):
        ranked(LAST - timedelta(days=back), by="genre")
    response = page.get("/movielens/rankings/")
    assert "1 movie of the genre Animation" in text_of(response)
    response = page.get("/movielens/rankings/", params={"genre": "Drama"})
    assert [row[:3] for row in rows_of(response)] == [
        ["1", "= unchanged", "Casino (1995) Crime, Drama"],
        ["2", "= unchanged", "<b>Heat</b> (1995) Crime, Drama"],
    ]
    said = text_of(page.get("/movielens/rankings/movies/3/", params={"genre": "Drama"}))
    assert "Rank by bayesian among the movies of the genre Drama, in the last 2 rankings" in said


def test_a_search_by_title_keeps_ranks(page, ranked, catalogue):
    ranked(LAST, movies=None)
    catalogue.save_movies(MOVIES)
    response = page.get("/movielens/rankings/", params={"search": " casino "})
    assert [row[:2] for row in rows_of(response)] == [["2", "Casino (1995) Crime, Drama"]]
    assert "1 of 4 movies with “casino” in the title" in text_of(response)
    assert [row[:2] for row in rows_of(page.get("/movielens/rankings/?search=4"))] == [["4", "Rare (1995)"]]
    assert "No ranked movie has “Alien” in its title." in text_of(page.get("/movielens/rankings/?search=Alien"))


def test_more_rows_are_shown_step_by_step(page, ranked):
    ranked(LAST)
    response = page.get("/movielens/rankings/?rows=3")
    assert len(rows_of(response)) == 3
    said = text_of(response)
    assert "4 movies, of which the first 3 are shown" in said
    assert "Show 100 more" in said
    assert "rows=103" in response.text
    assert "Show 100 more" not in text_of(page.get("/movielens/rankings/?rows=4"))
    assert page.get("/movielens/rankings/?rows=100000").status_code == 422


def test_a_day_without_a_ranking_is_not_found(page, ranked):
    ranked(DAYS[0])
    ranked(LAST)
    said = text_of(page.get("/movielens/rankings/?day=2015-03-10"), 404)
    assert "There is no ranking of 2015-03-10. Choose a day from 2015-02-20 to 2015-03-31" in said
    assert "← 2015-02-20 2015-03-31 →" in said
    assert "There is no ranking x/{day}.csv." in text_of(page.get("/movielens/rankings/?ranking=x/{day}.csv"), 404)


def test_a_missing_file_is_named_with_its_task(page, ranked):
    file = ranked(LAST)
    Path(file).unlink()
    response = page.get("/movielens/rankings/")
    said = text_of(response, 500)
    assert f"This cannot be shown: there is no file {file}. Clear the task that wrote the file, so that" in said
    assert "/dags/06_partitioned/runs/run_2015-03-31/tasks/rank" in response.text


def test_a_failed_try_is_said(page, ranked, catalogue):
    file = ranked(LAST)
    error = "DataError: row 3 is damaged"
    catalogue.add(
        Record(
            "ranking",
            "2015-04-02T08:00:00Z",
            file,
            succeeded=False,
            error=error,
            task=task_of(LAST),
            facts={"end_date": "2015-04-01"},
        )
    )
    response = page.get("/movielens/rankings/")
    said = text_of(response)
    assert (
        "The last task that tried to write this ranking failed at 2015-04-02 08:00 UTC, so an older file is shown."
        in said
    )
    assert error in said
    assert len(rows_of(response)) == 4


def test_a_first_ranking_that_failed_says_why(page, catalogue):
    catalogue.add(
        Record(
            "ranking",
            "2015-04-02T08:00:00Z",
            "/a.csv",
            succeeded=False,
            error="no input file is given",
            task=None,
            facts={},
        )
    )
    said = text_of(page.get("/movielens/rankings/"))
    assert "No movies have been ranked yet. The last task that tried failed: no input file is given" in said


def test_rankings_of_hidden_dags_do_not_exist(analyst, ranked):
    ranked(LAST, dag_id="05_pipeline")
    assert "No movies have been ranked yet." in text_of(analyst.get("/movielens/rankings/"))
    ranked(DAYS[-2])
    said = text_of(analyst.get("/movielens/rankings/"))
    assert "Ranking of 2015-03-30" in said
    assert "2015-03-31 →" not in said


def test_the_course_of_a_movie_is_a_line_with_a_table(page, ranked):
    for day in DAYS:
        ranked(day)
    response = page.get("/movielens/rankings/movies/1/", params={"day": "2015-03-31"})
    rows = rows_of(response)
    assert rows[:2] == [
        ["2015-03-31", "1", "= unchanged", "9", "3.624", "5.00"],
        ["2015-03-30", "1", "= unchanged", "9", "4.541", "5.00"],
    ]
    assert len(rows) == 40
    by_day = {row[0]: row[1:3] for row in rows}
    assert by_day["2015-03-21"] == ["1", "▲ up 2"]
    assert by_day["2015-02-20"] == ["3", "\N{EN DASH}"]
    assert response.text.count("<polyline") == 1
    assert response.text.count("<circle") == 40
    assert "2015-03-21: rank 1" in response.text
    said = text_of(response)
    assert "The rank of Toy Story (1995) from 2015-02-20 to 2015-03-31; the table below has the values" in said
    assert "Rank by bayesian, in the last 40 rankings up to 2015-03-31." in said
    assert "the mean rating as if the movie had 100 further ratings" in said


def test_rankings_that_cannot_be_read_are_left_out_of_the_course_of_a_movie(page, ranked):
    files = [ranked(day) for day in DAYS[-5:]]
    Path(files[-2]).write_text("damaged")
    Path(files[-4]).unlink()
    response = page.get("/movielens/rankings/movies/1/")
    rows = rows_of(response)
    damaged, gone = rows.pop(1), rows.pop(2)
    # Nobody knows whether the movie moved since a ranking that cannot be read.
    assert [row[:3] for row in rows] == [
        ["2015-03-31", "1", "\N{EN DASH}"],
        ["2015-03-29", "1", "\N{EN DASH}"],
        ["2015-03-27", "1", "\N{EN DASH}"],
    ]
    assert damaged[0] == "2015-03-30"
    assert damaged[1].startswith(f"left out: {files[-2]} cannot be read as a ranking: ")
    assert gone == ["2015-03-28", f"left out: there is no file {files[-4]}"]
    assert response.text.count("<polyline") == 3
    assert "2 of 5 rankings are left out; the table says why." in text_of(response)


def test_no_ranking_of_the_course_of_a_movie_can_be_read(page, ranked):
    files = [ranked(day) for day in DAYS[-2:]]
    Path(files[-1]).unlink()
    said = text_of(page.get("/movielens/rankings/movies/99/"))
    assert "This movie is in none of the last 2 rankings up to 2015-03-31." in said
    assert f"1 of these rankings cannot be read. The last one: there is no file {files[-1]}." in said
    Path(files[-2]).unlink()
    said = text_of(page.get("/movielens/rankings/movies/1/"))
    assert "None of the last 2 rankings up to 2015-03-31 can be read." in said
    assert f"The last one: there is no file {files[-1]}. Clear the tasks that write them" in said


def test_a_movie_that_comes_and_goes_and_one_that_never_came(page, ranked):
    for day in DAYS[-4:]:
        ranked(day)
    response = page.get("/movielens/rankings/movies/4/")
    assert [row[:3] for row in rows_of(response)] == [
        ["2015-03-31", "4", "new"],
        ["2015-03-30", "not ranked"],
        ["2015-03-29", "4", "new"],
        ["2015-03-28", "not ranked"],
    ]
    said = text_of(page.get("/movielens/rankings/movies/99/"))
    assert "Movie 99" in said
    assert "This movie is in none of the last 4 rankings up to 2015-03-31." in said


def test_rankings_on_object_storage_are_copied_first(page, tmp_path, monkeypatch):
    folder = atomic_bucket_at(tmp_path)
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", ATOMIC_URL)
    rank = ranks_in(ATOMIC_URL, Catalogue(ATOMIC_URL))
    week_ago, last = rank(LAST - timedelta(days=7)), rank(LAST, ending="parquet")
    assert rows_of(page.get("/movielens/rankings/"))[0][:2] == ["1", "Toy Story (1995) Animation, Comedy"]

    rank(LAST)
    (folder / week_ago.removeprefix(f"{ATOMIC_URL}/")).unlink()
    said = text_of(page.get("/movielens/rankings/?ranking=rankings/{method}/{day}.csv"))
    assert f"No movement is shown for an earlier ranking: there is no file {week_ago}" in said
    (folder / last.removeprefix(f"{ATOMIC_URL}/")).write_bytes(b"PAR1")
    said = text_of(page.get("/movielens/rankings/?ranking=rankings/{method}/{day}.parquet"), 500)
    assert f"{last} cannot be read as a ranking" in said


def test_a_ranking_that_is_too_large_to_be_copied_is_left_out(tmp_path):
    folder = atomic_bucket_at(tmp_path)
    folder.mkdir(parents=True)
    for name, size in {"a.csv": 40, "b.csv": 1000, "c.csv": 60}.items():
        (folder / name).write_bytes(b"x" * size)
    addresses = [f"{ATOMIC_URL}/{name}" for name in ("a.csv", "b.csv", "c.csv")]
    with local_files(addresses, None, most=100) as files:
        assert [file.problem for file in files] == [
            None,
            f"{addresses[1]} is too large: a view copies at most 100 bytes from object storage",
            None,
        ]
        assert [file.local().stat().st_size for file in (files[0], files[2])] == [40, 60]
