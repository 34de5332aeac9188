"""A data root with a registry of three models, an evaluation, and published recommendations."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import polars as pl
from unit import brute_force_model as slow

from airflow_movielens.recommending import Model, ModelParameters, train
from airflow_movielens.recommending.evaluation import evaluate
from airflow_movielens.recommending.gate import judge
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Catalogue, Record, TaskRun

CUT = 1_000 * slow.DAY
RATINGS = pl.DataFrame(
    [
        (user, (user * 7 + place * 3) % 40, 4.0 + (user + place) % 3 / 2, (0 if user < 40 else CUT) + place)
        for user in range(60)
        for place in range(20)
    ],
    schema=slow.SCHEMA,
    orient="row",
)
MOVIES = pl.DataFrame(
    [(number, f"Movie {number}, The", 1950 + number, "Drama|War") for number in range(38)]
    + [
        (38, "Hamlet", 1948, "Drama"),
        (39, "Hamlet", 2000, "Drama"),
        (40, "Twins", 1988, "Comedy"),
        (41, "Twins", 1988, "Drama"),
    ],
    ["movieId", "title", "year", "genres"],
    orient="row",
)
DAG = "06_partitioned"
RUN = "manual__2026-11-29"


@dataclass(frozen=True)
class RecommendingData:
    """What lies in a data root.

    Attributes:
        folder: The data root.
        champion: The version of the champion.
        challenger: That of the challenger.
        previous: That of the previous champion.
        model: The champion.
    """

    folder: Path
    champion: str
    challenger: str
    previous: str
    model: Model

    @property
    def registry(self) -> Path:
        """The folder of the registry."""
        return self.folder / "registry"

    @property
    def evaluation(self) -> Path:
        """The evaluation by which the champion was promoted."""
        return self.folder / "evaluations" / "evaluation.json"

    @property
    def published(self) -> Path:
        """The published recommendations."""
        return self.folder / "recommendations.parquet"

    @classmethod
    def make(cls, folder: Path) -> RecommendingData:
        """Train, evaluate, promote and publish."""
        registry = ModelRegistry(folder / "registry")
        first, model, last = (train(RATINGS, ModelParameters(lambda_1=weight)) for weight in (5.0, 20.0, 80.0))
        previous = registry.register(first, by="ada@laptop", reason="the first <model>")
        registry.promote(previous, by="ada@laptop", reason="there was none")
        champion = registry.register(model, by=f"{DAG}.train", reason="trained on 1,200 ratings")
        evaluation = evaluate(RATINGS, model, first, cuts=[CUT], known_likes=(1, 3))
        evaluation.save(folder / "evaluations")
        content = (folder / "evaluations" / "evaluation.json").read_bytes()
        trending = [0.3 + number % 10 / 100 for number in range(100)]
        better = [figure + number % 7 / 50 for number, figure in enumerate(trending)]
        shuffled = [figure / 10 for figure in trending]
        decision = judge({"challenger": better, "champion": better, "trending": trending, "shuffled": shuffled})
        about = {"path": str(folder / "evaluations" / "evaluation.json"), "sha256": sha256(content).hexdigest()}
        figures = {**decision.figures, "evaluation": about}
        registry.promote(champion, by=f"{DAG}.promote", reason=decision.reason, figures=figures)
        challenger = registry.register(last, by=f"{DAG}.train", reason="trained on 1,200 ratings")
        registry.refuse(
            challenger, by=f"{DAG}.promote", reason="There are 20 new users, too few.", figures={"users": 20}
        )
        recommended = model.recommend(RATINGS, 5, explain=True)
        recommended.write_parquet(folder / "recommendations.parquet")
        return cls(folder, champion, challenger, previous, model)

    def copied(self, folder: Path) -> RecommendingData:
        """Return a copy of the data, whose registry names the evaluation of the copy."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        for event in (folder / "registry" / "history").iterdir():
            event.write_text(event.read_text().replace(str(self.folder), str(folder)))
        return RecommendingData(folder, self.champion, self.challenger, self.previous, self.model)

    def record(self, catalogue: Catalogue, dag_id: str = DAG) -> None:
        """Add the records of the tasks."""
        registry = str(self.registry)
        tasks = {
            "training": (registry, {"version": self.champion}),
            "evaluation": (
                str(self.evaluation),
                {"challenger": self.champion, "sentences": ["It is better, by much."]},
            ),
            "promotion": (registry, {"version": self.champion}),
            "recommendations": (str(self.published), {"model": self.champion, "users": 60, "n": 5, "rows": 300}),
        }
        names = {"training": "train", "evaluation": "evaluate", "promotion": "promote", "recommendations": "recommend"}
        for minute, (kind, (path, facts)) in enumerate(tasks.items()):
            task = TaskRun(dag_id, RUN, names[kind], -1, 1)
            at = f"2026-11-29T02:{minute:02}:00Z"
            catalogue.add(
                Record(kind, at, path, succeeded=True, error=None, task=task, facts={**facts, "registry": registry})
            )
