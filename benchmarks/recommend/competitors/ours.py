"""`train` and `Model.recommend`: ``ours ours|first|trending``. The parameters are the defaults, also on the sample."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from airflow_movielens.recommending import Model, ModelParameters, train
from airflow_movielens.recommending.evaluation.parameter_choice import choose_parameters
from airflow_movielens.recommending.evaluation.protocols import Cut
from airflow_movielens.recommending.evaluation.recommenders import trending
from airflow_movielens.recommending.histories import latest_of
from benchmarks.cost import cost_of, measure
from benchmarks.recommend.competitors.serving import KNOWN_LIKES, ONE_BY_ONE, TOP, WARM_UP, serve
from benchmarks.recommend.dataset import CUT, MOVIES

LATER_LIKES = {"ours": ModelParameters().later_likes, "first": 0.0}


def main() -> None:
    """Run the program."""
    name, workload, folder, *output = sys.argv[1:]
    if workload == "large":
        _measure(LATER_LIKES[name], Path(folder))
    elif workload == "choice":
        measure(partial(choose_parameters, latest_of(_one_after_the_other(Path(folder)))))
    else:
        _recommend(name, Path(folder), Path(output[0]))


def _measure(later_likes: float, folder: Path) -> None:
    ratings = pl.read_parquet(folder / "ratings.parquet")
    known = pl.read_parquet(folder / "known-10.parquet")
    parameters = ModelParameters(later_likes=later_likes, max_movies=MOVIES)
    models: list[Model] = []
    cost = cost_of(lambda: models.append(train(ratings, parameters)))
    (model,) = models
    users = known.partition_by("userId", maintain_order=True)
    one_by_one = [partial(model.recommend, each, TOP) for each in users[: WARM_UP + ONE_BY_ONE]]
    serve(asdict(cost), one_by_one, partial(model.recommend, known, TOP), len(users))


def _one_after_the_other(folder: Path) -> pl.DataFrame:
    """Return the ratings with one session for each user, so that there are new users at a cut."""
    ratings = pl.read_parquet(folder / "ratings.parquet").sort("userId", "timestamp")
    return ratings.with_columns(timestamp=pl.int_range(pl.len(), dtype=pl.Int64))


def _recommend(name: str, folder: Path, output: Path) -> None:
    ratings = pl.read_parquet(folder / "training.parquet")
    catalogue = np.load(folder / "catalogue.npy")
    parameters = ModelParameters(later_likes=LATER_LIKES.get(name, 0.0))
    model = train(ratings, parameters)
    if name == "trending":
        model = trending(Cut.of(ratings, CUT).before, model.catalogue).model
    for likes in KNOWN_LIKES:
        best = model.recommend(pl.read_parquet(folder / f"known-{likes}.parquet"), TOP)
        positions = np.searchsorted(catalogue, best["movieId"]).reshape(-1, TOP)
        np.save(output / f"0-{likes}.npy", positions)
    print(json.dumps([{}]))


if __name__ == "__main__":
    main()
