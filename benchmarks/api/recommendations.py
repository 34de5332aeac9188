"""`python -m benchmarks.api.recommendations`: the response times of recommendations, for short and long histories."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from airflow_movielens.recommending import Model, ModelParameters
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.histories import latest_of
from airflow_movielens.recommending.model import TrainingData
from airflow_movielens.recommending.registry import ModelRegistry
from benchmarks import machine
from benchmarks.api import load, tools
from benchmarks.api.peers import Ours
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.tables import Target, table, verdicts

LENGTHS = (10, 100, 500)
USERS_OF_EACH = 300
TARGET_MS = 20.0
OTHERS_PER_MOVIE = 2


def main() -> int:
    """Run the benchmark; the exit code is 1 if a request failed or the target was missed."""
    arguments = _parser().parse_args()
    notes = machine.notes(("movielens-api", "numpy"))
    try:
        tools.install()
        with tempfile.TemporaryDirectory(prefix="bench-recommendations-") as folder:
            found = measure(Path(folder), arguments.movies, arguments.workers, arguments.seconds)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    worst = max(each.p99 for each in found.values())
    target = Target(f"p99 of all below {TARGET_MS:.0f} ms", f"{worst:.1f} ms", worst < TARGET_MS)
    head = ["requests", "per second", "p50, ms", "p99, ms"]
    rows = [[what, f"{each.per_second:,.0f}", f"{each.p50:.1f}", f"{each.p99:.1f}"] for what, each in found.items()]
    print(
        "",
        *notes,
        f"{arguments.movies:,} movies, {arguments.workers} processes, {load.CONNECTIONS} connections",
        sep="\n",
    )
    print("", table(head, rows), "", verdicts([target]), sep="\n")
    return 0 if target.met else 1


def measure(folder: Path, movies: int, workers: int, seconds: int) -> dict[str, load.Measurement]:
    """Return the measurements of each kind of request.

    Args:
        folder: A folder for the model and the dataset.
        movies: The number of movies in the catalogue.
        workers: The number of processes that serve.
        seconds: The duration of each measurement.
    """
    say(f"writing a model of {movies:,} movies")
    ratings = write_dataset(folder / "dataset", movies)
    registry = write_registry(folder / "registry", movies, ratings)
    ours = Ours(str(folder / "dataset"), folder / "caches", workers, options=("--recommendations", str(registry)))
    server = ours.start(folder)
    try:
        server.wait_until_ready("/users/1/recommendations")
        found = {}
        # Each process checks the password once, which takes longer than many responses.
        load.measure(server, ["/movies/1"], seconds, folder / "paths")
        for what, paths in requests(movies).items():
            say(what)
            found[what] = load.measure(server, paths, seconds, folder / "paths")
        return found
    finally:
        server.stop()


def requests(movies: int) -> dict[str, list[str]]:
    """Return the paths of each kind of request."""
    chance = np.random.default_rng(1)
    users = np.arange(1, USERS_OF_EACH * len(LENGTHS) + 1).reshape(len(LENGTHS), USERS_OF_EACH)
    kinds = {f"users with {length} ratings": owners for length, owners in zip(LENGTHS, users, strict=True)}
    kinds["all these users"] = chance.permutation(users.ravel())
    found = {what: [f"/users/{user}/recommendations" for user in owners] for what, owners in kinds.items()}
    liked = chance.integers(1, movies + 1, 1_000)
    return {**found, "similar movies": [f"/movies/{movie}/similar" for movie in liked]}


def write_registry(folder: Path, movies: int, ratings: pl.DataFrame) -> Path:
    """Write a registry whose champion has arbitrary values, and twice as many movies outside the catalogue."""
    registry = ModelRegistry(folder)
    model = arbitrary_model(movies, OTHERS_PER_MOVIE * movies, ratings)
    version = registry.register(model, by="benchmark", reason="arbitrary values")
    registry.promote(version, by="benchmark", reason="arbitrary values")
    return folder


def arbitrary_model(movies: int, others: int, ratings: pl.DataFrame) -> Model:
    """Return a model with arbitrary values.

    Args:
        movies: The number of movies in the catalogue, whose identifiers begin with 1.
        others: The number of movies outside the catalogue, whose identifiers follow.
        ratings: What it claims to be trained on.
    """
    chance = np.random.default_rng(2)
    inside = np.arange(1, movies + 1, dtype=np.int32)
    outside = np.arange(movies + 1, movies + others + 1, dtype=np.int32)
    trends = (np.sort(chance.random(others))[::-1] / 10).astype(np.float32)
    catalogue = Catalogue(inside, chance.random(movies, np.float32), outside, trends)
    matrix = chance.standard_normal((movies, movies), np.float32)
    matrix *= 0.01
    return Model(ModelParameters(), catalogue, matrix, TrainingData.of(latest_of(ratings)))


def write_dataset(folder: Path, movies: int) -> pl.DataFrame:
    """Write users with histories of each length, of movies in the catalogue, and return their ratings."""
    folder.mkdir()
    chance = np.random.default_rng(3)
    rated = [
        (user, movie)
        for user, length in enumerate(np.repeat(LENGTHS, USERS_OF_EACH).tolist(), start=1)
        for movie in chance.choice(movies, length, replace=False).tolist()
    ]
    columns = {
        "userId": [user for user, _ in rated],
        "movieId": [movie + 1 for _, movie in rated],
        "rating": chance.integers(1, 11, len(rated)) / 2,
        "timestamp": chance.permutation(len(rated)) + 1_000_000_000,
    }
    ratings = pl.DataFrame(columns)
    ratings.write_csv(folder / "ratings.csv")
    titles = (f'{movie},"Movie {movie} (2000)",Drama\n' for movie in range(1, movies + 1))
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(titles), encoding="utf-8")
    return ratings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api.recommendations", description=__doc__)
    parser.add_argument("--movies", type=int, default=10_000, help="movies in the catalogue (default: 10,000)")
    parser.add_argument("--workers", type=int, default=2, help="processes that serve (default: 2)")
    parser.add_argument("--seconds", type=int, default=10, help="the duration of each measurement (default: 10)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
