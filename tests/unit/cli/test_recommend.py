"""``movielens recommend`` and ``movielens similar``: which movies they find, and what they print and write."""

from __future__ import annotations

import json

import polars as pl
import pytest
from unit import brute_force_model as slow
from unit.command_line import COMMAND, in_a_terminal

from airflow_movielens.cli import main
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.explanations import sentence_of
from airflow_movielens.recommending.registry import ModelRegistry

RATINGS = slow.awkward_ratings()
MODEL = train(RATINGS, ModelParameters(lambda_1=5.0, lambda_2=5.0, min_likes=4))
MOVIES = MODEL.catalogue.movies.tolist()
NAMES = {movie: f"The Film No. {movie}" for movie in RATINGS["movieId"].unique()}
FIRST, SECOND = (f"Film No. {movie}, The" for movie in MOVIES[:2])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write the model, the ratings and the movies, and make their folder the current one."""
    monkeypatch.chdir(tmp_path)
    MODEL.save("model.npz")
    RATINGS.write_parquet("ratings.parquet")
    titles = [f"Film No. {movie}, The (1999)" for movie in NAMES]
    pl.DataFrame({"movieId": list(NAMES), "title": titles, "genres": ["Drama"] * len(titles)}).write_csv("movies.csv")
    return tmp_path


def run(command, *arguments, movies="movies.csv"):
    source = ["--movies-path", movies] if movies else []
    return main([command, "--model", "model.npz", *source, *arguments])


def lines(capsys):
    """Return the rows of the printed tables, without headings."""
    cells = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in capsys.readouterr().out.split("\n")
    ]
    return [row for row in cells if row and row[0].isdecimal()]


def test_users_of_files_are_recommended_what_the_model_recommends(folder, capsys):
    assert run("recommend", "--input-path", "ratings.parquet", "--user", "7", "--user", "3", "--n", "4") == 0
    expected = MODEL.recommend(RATINGS.filter(pl.col("userId").is_in([3, 7])), n=4, explain=True)
    assert lines(capsys) == [
        [str(rank), f"{NAMES[movie]} (1999)", f"{score:.3f}", sentence_of(reasons, score, NAMES)]
        for _, rank, movie, score, reasons in expected.iter_rows()
    ]


def test_each_user_has_a_table(folder, capsys):
    assert run("recommend", "--input-path", "ratings.parquet", "--user", "7", "--user", "123456", "--n", "1") == 0
    shown = capsys.readouterr()
    assert "For user 7\n" in shown.out
    assert "For user 123456\n" in shown.out
    assert "trending now" in shown.out
    assert shown.err == "movielens recommend: user 123456 has no ratings in these files\n"


def test_a_new_user_is_recommended_movies_by_likes(folder, capsys):
    assert run("recommend", "--like", FIRST, "--like", f"the film no. {MOVIES[1]} (1999)", "--n", "3") == 0
    likes = pl.DataFrame([(0, MOVIES[0], 5.0, 0), (0, MOVIES[1], 5.0, 1)], slow.SCHEMA, orient="row")
    expected = MODEL.recommend(likes, n=3)["movieId"]
    assert [row[1] for row in lines(capsys)] == [f"{NAMES[movie]} (1999)" for movie in expected]


def test_recommendations_are_written_with_a_manifest(folder, capsys):
    written = ["--user", "7", "--user", "3", "--n", "2", "--output-path", "best.csv"]
    assert run("recommend", "--input-path", "ratings.parquet", *written) == 0
    assert capsys.readouterr().out == "4 recommendations to 2 users in best.csv\n"
    found = pl.read_csv("best.csv")
    assert found.columns == ["userId", "rank", "movieId", "title", "score", "reason"]
    assert found["userId"].to_list() == [3, 3, 7, 7]
    manifest = json.loads((folder / ".best.csv.manifest.json").read_text())
    assert manifest["rows"] == 4
    assert manifest["model"] == "model.npz"
    assert [file["rows"] for file in manifest["inputs"]] == [len(RATINGS)]


def test_similar_movies_are_those_of_the_model(folder, capsys):
    assert run("similar", FIRST, "--n", "3") == 0
    expected = MODEL.similar(MOVIES[0], n=3)
    assert lines(capsys) == [
        [str(rank), f"{NAMES[movie]} (1999)", f"{score:.3f}"] for rank, movie, score in expected.iter_rows()
    ]


def test_without_titles_movies_are_identifiers(folder, capsys):
    assert run("similar", str(MOVIES[0]), movies=None) == 0
    assert f"Similar to movie {MOVIES[0]}\n" in capsys.readouterr().out


def test_the_champion_of_a_registry_recommends(folder, capsys):
    like = ["recommend", "--registry", "registry", "--movies-path", "movies.csv", "--like", FIRST]
    assert main([*like, "--output-path", "best.csv"]) == 1
    assert "the registry registry has no champion" in capsys.readouterr().err.replace(str(folder), "")
    registry = ModelRegistry("registry")
    version = registry.register(MODEL, by="a test", reason="to recommend")
    registry.promote(version, by="a test", reason="to recommend")
    assert main([*like, "--output-path", "best.csv"]) == 0
    assert json.loads((folder / ".best.csv.manifest.json").read_text())["model"] == version
    assert run("recommend", "--like", FIRST, "--output-path", "same.csv") == 0
    assert (folder / "best.csv").read_bytes() == (folder / "same.csv").read_bytes()


@pytest.mark.usefixtures("environment")
def test_titles_come_from_the_api(folder, capsys):
    assert run("recommend", "--like", "toy story", movies=None) == 0
    assert "For a new user who likes Toy Story (1995)\n" in capsys.readouterr().out


USER = ["recommend", "--input-path", "ratings.parquet", "--user", "7"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["recommend"], 2, "give --user or --like"),
        ([*USER, "--like", FIRST], 2, "give --user or --like"),
        (["recommend", "--user", "7"], 2, "give --user and --input-path together"),
        (["recommend", "--like", FIRST, "--input-path", "ratings.parquet"], 2, "give --user and --input-path together"),
        (["recommend", "--like", "Nosferatu"], 2, "no movie has the title 'Nosferatu'"),
        (["similar", "Nosferatu"], 2, "no movie has the title 'Nosferatu'"),
        (["similar", FIRST, "--n", "0"], 2, "--n is 0"),
        ([*USER, "--output-path", "ratings.parquet"], 2, "the output ratings.parquet is also an input"),
        (["similar", "77777"], 1, "the model knows too few likes of movie 77777"),
        ([*USER[:2], "movies.csv", *USER[3:]], 1, "lacks the columns userId"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, arguments, status, said, capsys):
    assert run(*arguments) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_title_without_a_source_of_titles_is_a_usage_error(folder, capsys):
    assert run("similar", FIRST, movies=None) == 2
    assert "give --movies-path, or the API with the titles as --host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "said"), [("none.npz", "there is no file none.npz"), ("movies.csv", "holds no model")]
)
def test_a_file_without_a_model_is_an_error(folder, path, said, capsys):
    assert main(["similar", "--model", path, "1"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_shows_the_table_too(folder):
    status, shown = in_a_terminal([*COMMAND, *USER, "--model", "model.npz", "--movies-path", "movies.csv"])
    assert status == 0, shown
    assert "For user 7" in shown
