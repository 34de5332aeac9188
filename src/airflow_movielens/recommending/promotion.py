"""From an evaluation to the registry: the model that it judges is promoted, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.recommending.evaluation import Evaluation
from airflow_movielens.recommending.evaluation.result import FILE_NAME
from airflow_movielens.recommending.gate import judge

if TYPE_CHECKING:
    from airflow_movielens.recommending.registry import ModelRegistry


@dataclass(frozen=True)
class Candidate:
    """A model of a registry that the gate has judged.

    Attributes:
        version: The model.
        champion: The champion that it was compared with, if there was one.
        outcome: What the gate says: ``accepted``, ``refused`` or ``undecided``.
        reason: Why.
        figures: The figures of the gate, and the path and the checksum of the evaluation.
    """

    version: str
    champion: str | None
    outcome: str
    reason: str
    figures: dict[str, Any]

    @classmethod
    def of(cls, evaluation_path: object, registry: ModelRegistry) -> Candidate:
        """Judge the challenger of an evaluation.

        Args:
            evaluation_path: The local path of ``evaluation.json``, or of its folder.
            registry: The registry that the models of the evaluation belong to.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file holds no evaluation of models of the registry, or an earlier one: another model has
                become the champion.
        """
        path = local_path(evaluation_path)
        if path is None:
            raise ValueError(f"the evaluation {evaluation_path} is a URL: give a local path")
        file = path / FILE_NAME if path.is_dir() else path
        evaluation = Evaluation.load(file)
        versions = {name: model.get("version") for name, model in evaluation.models.items()}
        version, champion = versions.get("challenger"), versions.get("champion")
        if not isinstance(version, str):
            raise ValueError(f"{file} does not say which model of the registry it is of: evaluate with the registry")
        candidate = cls(version, champion, *_judged(evaluation, file))
        if not candidate.is_current(registry):
            found = registry.aliases().champion
            raise ValueError(
                f"{file} compares with {shown(champion)}, but the champion is {shown(found)}: evaluate again"
            )
        return candidate

    def is_current(self, registry: ModelRegistry) -> bool:
        """Return whether the champion is still the one that the model was compared with, or the model itself."""
        return registry.aliases().champion in (self.champion, self.version)

    def record(self, registry: ModelRegistry, by: str, *, is_promoted: bool) -> None:
        """Promote the model, or record why it is not.

        Raises:
            LookupError: The registry has no such model.
            ValueError: The registry is damaged.
        """
        act = registry.promote if is_promoted else registry.refuse
        act(self.version, by=by, reason=self.reason, figures=self.figures)


def _judged(evaluation: Evaluation, file: Any) -> tuple[str, str, dict[str, Any]]:
    decision = judge(evaluation.gate_users)
    about = {"path": str(file), "sha256": sha256(file.read_bytes()).hexdigest()}
    return decision.outcome, decision.reason, {**decision.figures, "evaluation": about}
