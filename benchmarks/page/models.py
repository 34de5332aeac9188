"""A registry whose champion is large, its evaluation, and the recommendations that it has published."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from airflow_movielens.ranking.manifest import InputFile, RatingsFile
from airflow_movielens.recommending import train
from airflow_movielens.recommending.evaluation import evaluate
from airflow_movielens.recommending.evaluation.result import FILE_NAME
from airflow_movielens.recommending.gate import judge
from airflow_movielens.recommending.manifest import Recommendations, RecommendationsManifest
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Record
from airflow_movielens.storage.catalogue.manifests import records_in
from airflow_movielens.storage.files import write_file
from benchmarks.api.recommendations import arbitrary_model
from benchmarks.page.size import Size

FOLDER = "07_recommend"
RECOMMENDED = 10
REASONS = 3
DAY = 86_400
USERS, RATED, MOVIES = 800, 24, 300
BY = "07_recommend.promote_model"


def write_models(folder: Path, size: Size) -> None:
    """Write a registry with three models, an evaluation of the second one, the champion, and recommendations by it.

    The champion has arbitrary values. Its evaluation is of a small model, which was trained.

    Args:
        folder: The data root.
        size: Its size.
    """
    ratings = _ratings()
    registry = ModelRegistry(folder / FOLDER / "registry")
    trained = train(ratings)
    first = registry.register(trained, by=BY, reason="trained on generated ratings")
    registry.promote(first, by=BY, reason="There was no champion.")
    large = arbitrary_model(size.model, others=max(size.movies - size.model, 1), ratings=ratings)
    champion = registry.register(large, by=BY, reason="arbitrary values")
    evaluation = evaluate(ratings, trained, trained, known_likes=(1, 3), versions={"challenger": champion})
    evaluation.save(folder / FOLDER / "evaluations")
    path = folder / FOLDER / "evaluations" / FILE_NAME
    decision = judge(_figures())
    about = {"path": str(path), "sha256": sha256(path.read_bytes()).hexdigest()}
    registry.promote(champion, by=BY, reason=decision.reason, figures={**decision.figures, "evaluation": about})
    registry.register(train(ratings.head(len(ratings) - 1)), by=BY, reason="trained on one rating less")
    _write_recommendations(folder / FOLDER / "recommendations.parquet", champion, size)


def records_of_models(folder: Path, address: str) -> list[Record]:
    """Return the records of all that `write_models` wrote.

    Args:
        folder: The data root.
        address: The path or URL by which the records name the recommendations. Registries are local.
    """
    records = records_in(str(folder))
    return [
        replace(record, path=record.path.replace(str(folder), address)) if record.kind == "recommendations" else record
        for record in records
    ]


def _ratings() -> pl.DataFrame:
    """Return ratings of users who come one after the other, so that there are new ones at each moment."""
    chance = np.random.default_rng(17)
    users = np.repeat(np.arange(1, USERS + 1), RATED)
    movies = np.concatenate([chance.choice(MOVIES, RATED, replace=False) + 1 for _ in range(USERS)])
    rows = {
        "userId": users.astype(np.int32),
        "movieId": movies.astype(np.int32),
        "rating": (chance.integers(5, 11, len(users)) / 2).astype(np.float32),
        "timestamp": 1_400_000_000 + users * DAY + chance.permutation(len(users)) % 3_600,
    }
    return pl.DataFrame(rows)


def _figures() -> dict[str, list[float]]:
    """Return figures of users by which the gate accepts a model."""
    trending = [0.3 + number % 10 / 100 for number in range(USERS)]
    better = [figure + number % 7 / 50 for number, figure in enumerate(trending)]
    shuffled = [figure / 10 for figure in trending]
    return {"challenger": better, "champion": better, "trending": trending, "shuffled": shuffled}


def _write_recommendations(path: Path, model: str, size: Size) -> None:
    """Write arbitrary recommendations with reasons to all users."""
    chance = np.random.default_rng(18)
    rows = size.users * RECOMMENDED
    reasons = pl.DataFrame(
        {
            "row": np.repeat(np.arange(rows), REASONS),
            "movieId": chance.integers(1, size.movies + 1, rows * REASONS).astype(np.int32),
            "rating": np.full(rows * REASONS, 4.5, np.float32),
            "contribution": chance.random(rows * REASONS, np.float32),
        }
    )
    reasons = reasons.group_by("row", maintain_order=True).agg(reasons=pl.struct("movieId", "rating", "contribution"))
    recommended = pl.DataFrame(
        {
            "userId": np.repeat(np.arange(1, size.users + 1), RECOMMENDED).astype(np.int32),
            "rank": np.tile(np.arange(1, RECOMMENDED + 1), size.users).astype(np.int32),
            "movieId": chance.integers(1, size.movies + 1, rows).astype(np.int32),
            "score": chance.random(rows, np.float32),
            "reasons": reasons["reasons"],
        }
    )
    inputs = [RatingsFile("ratings.parquet", sha256(b"").hexdigest(), 1, rows, "2013-01-01", "2016-01-01")]
    made = Recommendations(model, RECOMMENDED, size.users, rows, inputs)

    def manifest_of(written: InputFile) -> RecommendationsManifest:
        return RecommendationsManifest.of(written, made)

    write_file(recommended.lazy(), str(path), manifest_of)
