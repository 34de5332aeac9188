"""Rounds of measurements: competitors take turns, so that all run under the same conditions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from airflow_movielens.recommending.evaluation.figures import figures_of_users
from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.recommend.cases import CHOICE, LARGE, Case
from benchmarks.recommend.dataset import KNOWN_LIKES

if TYPE_CHECKING:
    import numpy.typing as npt

# Made by `make bench-recommend`.
RECOMMENDERS = Path(".venv-recommenders/bin/python")
TOP = 10


@dataclass(frozen=True)
class Speed:
    """How fast a recommender is.

    Attributes:
        fit: The cost of one fit with given parameters.
        milliseconds: The time of ten recommendations to one user who is not among those of the fit.
        users_per_second: The rate of ten recommendations to each of many such users at once.
    """

    fit: Cost
    milliseconds: float
    users_per_second: float


@dataclass(frozen=True)
class Quality:
    """How good a recommender is with some parameters.

    Attributes:
        parameters: What differs from its defaults.
        ndcg: The mean NDCG@10 of new users, by the number of known likes.
    """

    parameters: dict[str, Any]
    ndcg: dict[int, float]


@dataclass
class Rounds:
    """Measurements of recommenders.

    Attributes:
        large: The folder of the generated ratings.
        sample: The folder of the sample.
        speeds: The speeds of each case, one for each round.
        choices: The cost of choosing parameters, of each case that does it.
        qualities: The quality of each case with each of the parameters that it tried.
    """

    large: Path
    sample: Path
    speeds: dict[Case, list[Speed]] = field(default_factory=lambda: defaultdict(list))
    choices: dict[Case, Cost] = field(default_factory=dict)
    qualities: dict[Case, list[Quality]] = field(default_factory=dict)

    def measure(self, case: Case) -> None:
        """Measure a case once. Parameters are chosen, and quality is computed, only in the first round."""
        if case.workload == LARGE:
            found = _run(case, self.large)
            speed = Speed(Cost(**found["fit"]), found["milliseconds"], found["users_per_second"])
            self.speeds[case].append(speed)
            say(f"  {case.competitor}: {speed.fit.seconds:.1f} s, {speed.fit.megabytes:.0f} MB")
        elif case.workload == CHOICE:
            self._measure_choice(case)
        elif case not in self.qualities:
            with tempfile.TemporaryDirectory(prefix="bench-recommend-") as folder:
                tried = _run(case, self.sample, folder)
                self.qualities[case] = [
                    Quality(parameters, {known: self._ndcg(Path(folder), number, known) for known in KNOWN_LIKES})
                    for number, parameters in enumerate(tried)
                ]
            say(f"  {case.competitor}: quality with {len(tried)} sets of parameters")

    def _measure_choice(self, case: Case) -> None:
        if case not in self.choices:
            self.choices[case] = Cost(**_run(case, self.large))
            say(f"  {case.competitor}: parameters chosen in {self.choices[case].seconds:.1f} s")

    def _ndcg(self, folder: Path, number: int, known_likes: int) -> float:
        """Return the mean NDCG@10 over the users, of the movies that they have not rated by then."""
        known = pl.read_parquet(self.sample / f"known-{known_likes}.parquet")
        users = known["userId"].unique().sort().to_numpy()
        ranked = _ranked(np.load(folder / f"{number}-{known_likes}.npy"), users, np.load(self.sample / "catalogue.npy"))
        left = ranked.join(known, on=["userId", "movieId"], how="anti", maintain_order="left")
        best = left.with_columns(rank=pl.int_range(1, pl.len() + 1).over("userId")).filter(pl.col("rank") <= TOP)
        relevant = pl.read_parquet(self.sample / f"relevant-{known_likes}.parquet")
        mean: float = figures_of_users(best, relevant)["ndcg"].mean()  # type: ignore[assignment]
        return mean


def _ranked(positions: npt.NDArray[Any], users: npt.NDArray[Any], catalogue: npt.NDArray[Any]) -> pl.DataFrame:
    return pl.DataFrame({"userId": np.repeat(users, positions.shape[1]), "movieId": catalogue[positions.ravel()]})


def _run(case: Case, *arguments: str | Path) -> Any:
    python = sys.executable if case.is_here else str(RECOMMENDERS)
    program = [python, "-m", f"benchmarks.recommend.competitors.{case.module}", case.model, case.workload]
    done = subprocess.run(
        [*program, *map(str, arguments)], capture_output=True, env=dict(os.environ), text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"{' '.join(program[:5])} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
