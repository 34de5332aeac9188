"""The manifest of a file of recommendations: from which model and from exactly which ratings they come."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens import __version__
from airflow_movielens.ranking.manifest import MANY_INPUTS, combined_checksum, covered_days

if TYPE_CHECKING:
    from airflow_movielens.ranking.manifest import InputFile, RatingsFile
    from airflow_movielens.ratings.task_run import TaskRun


@dataclass(frozen=True)
class Recommendations:
    """How recommendations were made.

    Attributes:
        model: The version of the model in its registry, or the path of its file.
        n: How many movies each user is recommended; fewer if the user has rated almost all.
        users: The number of users.
        rows: The number of recommendations.
        inputs: The files of ratings.
        task: The task instance of Airflow that recommended; None if none did.
    """

    model: str
    n: int
    users: int
    rows: int
    inputs: list[RatingsFile]
    task: TaskRun | None = None


@dataclass(frozen=True)
class RecommendationsManifest:
    """The facts about a file of recommendations.

    Attributes:
        path: The path or URL of the file, as the user gave it.
        rows: How many recommendations it has.
        users: The number of users.
        n: How many movies each user is recommended; fewer if the user has rated almost all.
        model: The version of the model in its registry, or the path of its file.
        start_date: First UTC day that the inputs cover, ``YYYY-MM-DD``; None if they cover none.
        end_date: First UTC day after the last one that they cover; None likewise.
        days: The number of days that they cover.
        ratings: The number of ratings in them.
        files: The number of inputs.
        inputs_sha256: One checksum of all inputs, as in the manifest of a ranking.
        inputs: The files of ratings; None in a return value if there are more than `MANY_INPUTS`.
        sha256: Of the file, in hexadecimal digits.
        bytes: Size of the file.
        recommended_at: When the file was complete, in UTC as ISO 8601.
        package_version: The version of this package.
        task: The task instance of Airflow that recommended; None if none did.
    """

    path: str
    rows: int
    users: int
    n: int
    model: str
    start_date: str | None
    end_date: str | None
    days: int
    ratings: int
    files: int
    inputs_sha256: str | None
    inputs: list[RatingsFile] | None
    sha256: str | None
    bytes: int
    recommended_at: str
    package_version: str
    task: TaskRun | None = None

    @classmethod
    def of(cls, output: InputFile, made: Recommendations) -> RecommendationsManifest:
        """Return the manifest of a finished file.

        Args:
            output: The file.
            made: How the recommendations were made.
        """
        start, end, days = covered_days(made.inputs)
        return cls(
            path=output.path,
            rows=made.rows,
            users=made.users,
            n=made.n,
            model=made.model,
            start_date=start,
            end_date=end,
            days=days,
            ratings=sum(file.rows for file in made.inputs),
            files=len(made.inputs),
            inputs_sha256=combined_checksum(made.inputs),
            inputs=made.inputs,
            sha256=output.sha256,
            bytes=output.bytes,
            recommended_at=datetime.now(UTC).isoformat(timespec="seconds"),
            package_version=__version__,
            task=made.task,
        )

    def to_json(self) -> str:
        """Return the content of the manifest file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def summary(self) -> dict[str, Any]:
        """Return the manifest as a small return value: without the inputs if there are more than `MANY_INPUTS`."""
        return asdict(replace(self, inputs=None) if self.files > MANY_INPUTS else self)
