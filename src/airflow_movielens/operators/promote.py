"""The operator that promotes a model if an evaluation shows that it is good enough."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

from airflow_movielens.connection.coerce import paths_as_text
from airflow_movielens.ratings.messages import shown
from airflow_movielens.task_errors import StoppableMixin, clear_failures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from airflow.sdk import Context

    from airflow_movielens.recommending.promotion import Candidate
    from airflow_movielens.recommending.registry import ModelRegistry
    from airflow_movielens.storage.catalogue.recording import Recording

_ASKED = "asked"


class MovielensPromoteOperator(StoppableMixin, ApprovalOperator):
    """Promote the model of an evaluation to champion of a registry, if the gate accepts it.

    If it does not, the task succeeds all the same, and tasks downstream run: the log, the history of the registry and
    the return value say why. The return value has the gate's ``outcome`` (accepted, refused or undecided), ``reason``
    and ``figures``, the ``version`` of the model, the ``champion`` that it was compared with, whether it
    ``is_promoted``, and ``by`` whom.

    Args:
        registry: The folder of the registry, shared by all workers.
        evaluation_path: The return value of `MovielensEvaluateOperator` (``evaluate.output``), or the local path of
            ``evaluation.json`` or of its folder.
        if_undecided: What to do if there are too few users to tell: ``"refuse"``, or ``"ask"`` a person, who approves
            or rejects the model in Airflow's UI.
        response_timeout: How long to wait for the person; without a response, the model is refused.
        **kwargs: Arguments of Airflow's ApprovalOperator, such as ``assigned_users`` and ``notifiers``.
    """

    template_fields: Sequence[str] = ("registry", "evaluation_path", "if_undecided")

    def __init__(
        self,
        *,
        registry: str | PathLike[str],
        evaluation_path: str | PathLike[str] | dict[str, Any],
        if_undecided: Literal["refuse", "ask"] = "refuse",
        response_timeout: timedelta = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        question = {"subject": "Promote the model?", "defaults": self.REJECT, "response_timeout": response_timeout}
        super().__init__(**{**question, **kwargs})
        self.registry = paths_as_text(registry)
        self.evaluation_path = paths_as_text(evaluation_path)
        self.if_undecided = if_undecided

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge the model, then promote it, refuse it, or ask a person."""
        from airflow_movielens.recommending.promotion import Candidate
        from airflow_movielens.storage.catalogue.recording import recorded

        with clear_failures(), recorded("promotion", context, self.registry) as recording:
            if self.if_undecided not in ("refuse", "ask"):
                raise ValueError(f"if_undecided is {shown(self.if_undecided)}: use 'refuse' or 'ask'")
            candidate = Candidate.of(self._evaluation(), self._registry())
            if candidate.version == candidate.champion:
                self.log.info("The model %s is the champion already. %s", candidate.version, candidate.reason)
                return self._result(recording, candidate, self._name, is_promoted=False)
            if candidate.outcome != "undecided" or self.if_undecided == "refuse":
                return self._acted(recording, candidate, self._name, is_promoted=candidate.outcome == "accepted")
        context["ti"].xcom_push(_ASKED, asdict(candidate))
        self.subject = f"Promote the model {candidate.version}?"
        self.body = candidate.reason
        self.log.info("Asking whether to promote %s. %s", candidate.version, candidate.reason)
        waiting: dict[str, Any] = super().execute(context)
        return waiting

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Promote or refuse the model, as the person chose."""
        from airflow_movielens.recommending.promotion import Candidate
        from airflow_movielens.storage.catalogue.recording import recorded

        # That of ApprovalOperator would skip the tasks downstream.
        response = HITLOperator.execute_complete(self, context, event)
        ti = context["ti"]
        with clear_failures(), recorded("promotion", context, self.registry) as recording:
            candidate = Candidate(**ti.xcom_pull(task_ids=self.task_id, key=_ASKED, map_indexes=ti.map_index))
            is_approved = response["chosen_options"] == [self.APPROVE]
            user = response["responded_by_user"]
            by, said = self._name, f"Nobody responded within {self.response_timeout}"
            if user is not None:
                by, said = user["name"], f"{user['name']} {'approved' if is_approved else 'rejected'} the model"
            if is_approved and not candidate.is_current(self._registry()):
                is_approved, said = False, f"{said}, but another model had become the champion"
            explained = replace(candidate, reason=f"{said}. {candidate.reason}")
            return self._acted(recording, explained, by, is_promoted=is_approved)

    @property
    def _name(self) -> str:
        return f"{self.dag_id}.{self.task_id}"

    def _registry(self) -> ModelRegistry:
        from airflow_movielens.recommending.registry import ModelRegistry

        return ModelRegistry(self.registry)

    def _evaluation(self) -> object:
        """Return the path of the evaluation."""
        if not isinstance(self.evaluation_path, dict):
            return self.evaluation_path
        if "path" not in self.evaluation_path:
            raise ValueError(
                f"evaluation_path is {shown(self.evaluation_path)}: give the output of the evaluation's task"
            )
        return self.evaluation_path["path"]

    def _acted(self, recording: Recording, candidate: Candidate, by: str, *, is_promoted: bool) -> dict[str, Any]:
        try:
            candidate.record(self._registry(), by, is_promoted=is_promoted)
        except LookupError as error:
            raise ValueError(str(error)) from error
        if is_promoted:
            self.log.info("Promoted %s. %s", candidate.version, candidate.reason)
        else:
            self.log.warning("Did not promote %s. %s", candidate.version, candidate.reason)
        return self._result(recording, candidate, by, is_promoted=is_promoted)

    def _result(self, recording: Recording, candidate: Candidate, by: str, *, is_promoted: bool) -> dict[str, Any]:
        result = {**asdict(candidate), "is_promoted": is_promoted, "by": by}
        recording.done({**result, "registry": str(self._registry().folder.absolute())})
        return result
