"""An evaluation, and its files ``evaluation.json`` and ``evaluation.html``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from airflow_movielens import __version__
from airflow_movielens.ratings.atomic_files import whole_file
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.messages import printable, shown
from airflow_movielens.recommending.evaluation.bootstrap import Comparison, compare
from airflow_movielens.recommending.evaluation.report import html_of, sentence_of

FORMAT = "airflow-movielens-evaluation"
FORMAT_VERSION = 1
FILE_NAME = "evaluation.json"
REPORT_NAME = "evaluation.html"


@dataclass(frozen=True)
class Evaluation:
    """The figures of a challenger, its champion and baselines; docs/evaluation.md describes the fields.

    Attributes:
        made_at: When it was made.
        ratings: Facts about the ratings: ratings, users, first, last, checksum.
        cuts: The cuts, ascending.
        known_likes: The numbers of likes that are known of new users.
        recommenders: The names of what was compared.
        models: Of challenger and champion: parameters, trained_on, and how it was judged at each cut.
        new_users: The figures of users who are new at a cut, for each cut and number of known likes.
        existing_users: The figures of users who return in the 28-day windows after each cut.
        gate_users: For each user, who counts once, the NDCG@10 of each recommender, averaged over the known likes.
    """

    made_at: str
    ratings: dict[str, Any]
    cuts: list[str]
    known_likes: list[int]
    recommenders: list[str]
    models: dict[str, dict[str, Any]]
    new_users: list[dict[str, Any]]
    existing_users: list[dict[str, Any]]
    gate_users: dict[str, list[Any]]

    def comparisons(self) -> dict[str, Comparison]:
        """Return the comparison of the challenger with each other recommender, over the users of the gate."""
        import polars as pl

        own = pl.Series(self.gate_users["challenger"])
        others = [name for name in self.recommenders if name != "challenger"]
        return {name: compare(own, pl.Series(self.gate_users[name])) for name in others}

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``."""
        about = {"format": FORMAT, "format_version": FORMAT_VERSION, "package_version": __version__}
        return about | asdict(self)

    def save(self, folder: str | Path) -> None:
        """Write ``evaluation.json`` and the report ``evaluation.html`` to a local folder, each whole or not at all."""
        content = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
        for name, text in ((REPORT_NAME, html_of(self)), (FILE_NAME, content)):
            with whole_file(Path(folder) / name) as partial:
                partial.write_text(text, encoding="utf-8")

    def summary(self, folder: Path) -> dict[str, Any]:
        """Return a small return value: versions, number of users, mean NDCG@10, and the comparisons as sentences.

        Args:
            folder: The folder that it is saved in.
        """
        import polars as pl

        figures = pl.DataFrame(self.gate_users)
        comparisons = self.comparisons()
        compared = [name for name in ("trending", "champion") if name in comparisons]
        return {
            "path": str(folder / FILE_NAME),
            "report": str(folder / REPORT_NAME),
            **{name: model["version"] for name, model in self.models.items()},
            "cuts": self.cuts,
            "users": len(figures),
            "ndcg": {name: round(float(figures[name].mean()), 4) for name in self.recommenders},  # type: ignore[arg-type]
            "sentences": [sentence_of(comparisons[name], name) for name in compared],
        }

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read an evaluation.

        Args:
            path: The file ``evaluation.json``, or its folder.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It holds no evaluation, is damaged, or was written in a newer format.
        """
        file = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
        try:
            content = parse_json(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} holds no evaluation ({printable(str(error))}): evaluate again") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{file} holds no evaluation: give a file that Evaluation.save wrote")
        if (version := content.get("format_version")) != FORMAT_VERSION:
            raise ValueError(
                f"{file} has version {shown(version)} of the format of evaluations; this is {__version__}, which reads "
                f"version {FORMAT_VERSION}: install a later one"
            )
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in content]:
            raise ValueError(f"{file} is damaged: it lacks {', '.join(missing)}; evaluate again")
        return cls(**{name: content[name] for name in names})
