"""`make demo` as a user runs it: for real, in a folder of its own, so that a running `make up` stays undisturbed."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.stack_processes import processes_of, user_environment

from airflow_movielens.recommending import train
from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.records import KINDS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600
FIRST, BEYOND = 974246400, 975456000  # 2000-11-15 and 2000-11-29 in UTC
DAY = 86_400
TOP = 10
PEOPLE = (600, 171)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Return the folder that all these demos share, as a user's do."""
    return tmp_path_factory.mktemp("demo") / "a folder with blanks & 100%"


@pytest.fixture(scope="module")
def environment(tmp_path_factory, local):
    return user_environment(tmp_path_factory.mktemp("user") / "home") | {"MOVIELENS_LOCAL_DIR": str(local)}


def command(*arguments):
    return [sys.executable, "-m", "demo", *arguments]


def run(environment, *arguments):
    return subprocess.run(
        command(*arguments),
        cwd=ROOT, env=environment, timeout=SECONDS, capture_output=True, text=True, check=False,
    )  # fmt: skip


def table_rows(output):
    """Return the cells of all rows of the tables in the output."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line.startswith("│")
    ]


def ranked(ratings, method):
    """Return all movies, best first, computed in plain pandas by the formulas of the documentation."""
    likes = ratings[ratings.rating >= 4]
    movies = ratings.groupby("movieId").agg(total=("rating", "sum"), number=("rating", "count"))
    if method == "bayesian":
        movies["score"] = (100 * ratings.rating.mean() + movies.total) / (100 + movies.number)
        movies["fact"] = (movies.total / movies.number).map("{:.2f}".format)
    else:
        days = (ratings.timestamp.max() - ratings.timestamp.min()) / DAY
        half_life = min(max(5000 * math.log(2) * days / len(likes), 7), 365)
        weights = 2 ** ((likes.timestamp - ratings.timestamp.max()) / DAY / half_life)
        movies["score"] = weights.groupby(likes.movieId).sum().reindex(movies.index, fill_value=0.0)
        movies["fact"] = likes.groupby("movieId").size().reindex(movies.index, fill_value=0).astype(str)
    movies["score"] = movies.score.round(6)
    movies = movies.reset_index().sort_values(["score", "number", "movieId"], ascending=[False, False, True])
    return movies.assign(place=range(1, len(movies) + 1))


def expected_table(truth, method):
    """Return the expected rows of a table: both weeks, with the movement since the first week."""
    period = truth[(truth.timestamp >= FIRST) & (truth.timestamp < BEYOND)]
    before = ranked(period[period.timestamp < FIRST + 7 * DAY], method).set_index("movieId").place
    named = truth.drop_duplicates("movieId").set_index("movieId")
    rows = []
    for movie in ranked(period, method).head(TOP).itertuples():
        title = f"{named.title[movie.movieId]} ({named.year[movie.movieId]:.0f})"
        change = before.get(movie.movieId, math.nan) - movie.place
        moved = "new" if math.isnan(change) else f"{'▲' if change > 0 else '▼'} {abs(change)}" if change else "="
        rows.append([str(movie.place), title, f"{movie.score:.3f}", movie.fact, str(movie.number), moved])
    return rows


def recommended_titles(truth):
    """Return the titles that the model of all ratings recommends to two people, the articles in front."""
    ratings = truth[["userId", "movieId", "rating", "timestamp"]]
    recommended = train(ratings).recommend(ratings[ratings.userId.isin(PEOPLE)], n=5)
    named = truth.drop_duplicates("movieId").set_index("movieId")
    titles = []
    for user in PEOPLE:
        for movie in recommended[recommended.userId == user].movieId:
            name, _, article = named.title[movie].rpartition(", ")
            name = f"{article} {name}" if article in ("The", "A", "An") else named.title[movie]
            titles.append(f"{name} ({named.year[movie]:.0f})")
    return titles


def tie_of_the_mean(truth):
    """Return how many movies with at least three ratings have a mean of 5, and the most ratings of one of them."""
    period = truth[(truth.timestamp >= FIRST) & (truth.timestamp < BEYOND)]
    movies = period.groupby("movieId").rating.agg(["mean", "count"])
    tie = movies[(movies["count"] >= 3) & (movies["mean"] == 5)]
    return len(tie), tie["count"].max()


@pytest.mark.parametrize(("target", "arguments"), [("demo", "run"), ("up", "up")])
def test_make_runs_the_tested_commands(target, arguments):
    # `make test` sets variables for nested calls of make.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    dry_run = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert dry_run.stdout.splitlines()[-1].endswith(f"python -m demo {arguments}")


@pytest.mark.parametrize("name", ["run", "up"])
def test_a_second_stack_in_the_same_folder_is_refused(environment, local, name):
    from demo.layout import only_stack_in

    local.mkdir(exist_ok=True)
    with only_stack_in(local):
        demo = run(environment, name)
    assert demo.returncode == 1
    assert f"Another stack (process {os.getpid()}) is already running" in demo.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "signal_number", "step"),
    [
        (["--connection-password", "wrong"], signal.SIGTERM, "Starting Airflow"),
        pytest.param([], signal.SIGINT, "Fetching 14 days", marks=pytest.mark.long),
    ],
)
def test_an_interrupted_demo_leaves_nothing_running(environment, local, arguments, signal_number, step):
    with subprocess.Popen(
        command("run", *arguments), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        next(line for line in demo.stdout if line.startswith(f"… {step}"))
        passwords = passwords_of_airflow(demo, local)
        os.killpg(demo.pid, signal_number)  # as a terminal does: to the whole foreground group
        demo.communicate(timeout=SECONDS)
    assert demo.returncode == 128 + signal_number
    assert processes_of(local) == []
    assert ("wrong" in passwords) == ("wrong" in arguments)


def passwords_of_airflow(demo, local):
    """Wait for processes of Airflow, and return the passwords with which their tasks would call the API."""
    found = set()
    while not found and demo.poll() is None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(local):
                    found.update(re.findall(r"\0MOVIELENS_PASSWORD=([^\0]+)", (process / "environ").read_text()))
    return found


@pytest.mark.long
def test_a_failing_task_is_reported_with_its_log_and_leaves_nothing_running(environment, local):
    demo = run(environment, "run", "--connection-password", "wrong")
    assert demo.returncode == 1
    assert "The task fetch_ratings of the Dag 05_pipeline failed for 2000-11-" in demo.stdout
    assert "401" in demo.stdout
    assert processes_of(local) == []


def assert_page_is_filled(local):
    """Assert that the catalogue, which the page shows, has all days, rankings, models and recommendations."""
    catalogue = Catalogue(str(local / "data"))
    fetches = catalogue.records("fetch", ["2000-11"]).records
    assert {record.facts["start_date"] for record in fetches} == {f"2000-11-{day}" for day in range(15, 29)}
    assert {record.task.dag_id for record in fetches} == {"05_pipeline"}
    assert {record.facts["method"] for record in catalogue.records("ranking").records} == {
        "mean", "bayesian", "trending"
    }  # fmt: skip
    assert all(catalogue.records(kind).records for kind in KINDS)
    assert catalogue.movies()[1].title == "Toy Story"


@pytest.mark.parametrize("time", ["once", pytest.param("again", marks=pytest.mark.long)])
def test_a_demo_fetches_ranks_and_recommends(environment, local, truth, time):
    """It succeeds whatever earlier demos have left in the folder."""
    demo = run(environment, "run")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    rows = table_rows(demo.stdout)
    days = [row for row in rows if re.fullmatch(r"2000-11-\d\d", row[0])]
    assert [day for day, *_ in days] == [f"2000-11-{day}" for day in range(15, 29)]
    assert sum(int(ratings.replace(",", "")) for _, ratings, _ in days) == 3532
    assert [ratings for _, ratings, _ in days].count("0") == 4
    ranks = [row for row in rows if row[0].isdecimal() and len(row) == 6]
    assert (ranks[:TOP], ranks[TOP:]) == (expected_table(truth, "bayesian"), expected_table(truth, "trending"))
    assert "no ranking: {} movies tie at 5.00, none of them with more than {} ratings".format(
        *tie_of_the_mean(truth)
    ) in demo.stdout.replace("\n", " ")
    recommended = [row for row in rows if row[0].isdecimal() and len(row) == 3]
    assert [title for _, title, _ in recommended] == recommended_titles(truth)
    assert all(reason.startswith(("because you rated ", "films like ")) for _, _, reason in recommended)
    assert "For user 600, who likes Aladdin, " in demo.stdout
    assert "it is better than the trending movies: NDCG@10 0." in demo.stdout
    followed = {"once": "was promoted as the first champion", "again": "is the champion, as before"}
    assert f"So it {followed[time]}" in demo.stdout
    newest = max(local.glob("data/07_recommend/evaluations/*/evaluation.html"))
    assert str(newest) in demo.stdout
    assert re.search(
        r"models and recommendations: http://127\.0\.0\.1:\d+/plugin/movielens$", demo.stdout, re.MULTILINE
    )
    assert_page_is_filled(local)
    assert processes_of(local) == []
    assert list(Path(environment["HOME"]).iterdir()) == []
