"""The models of a registry: how they were judged, and which one is live."""

from __future__ import annotations

from collections import defaultdict
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from airflow_movielens.plugin.registries import Registries, RegistryState, task_of
from airflow_movielens.plugin.rendering import render
from airflow_movielens.plugin.source import SourceDep
from airflow_movielens.recommending.registry import Event
from airflow_movielens.storage.catalogue import Record, TaskRun

if TYPE_CHECKING:
    from airflow_movielens.plugin.evaluations import Judgement

router = APIRouter()

_ACTIONS = {"register": "Registered", "promote": "Promoted", "refuse": "Refused", "rollback": "Restored"}
_MARKS = {"register": "", "promote": "good", "refuse": "warn", "rollback": "warn"}
_ALIASES = {
    "champion": ("Champion", "The model that is served."),
    "challenger": ("Challenger", "The model that was registered last and has not been promoted."),
    "previous": ("Previous", "The champion before this one, to which a rollback returns."),
}
_EVENTS = 50


@router.get("/models/")
def models(
    request: Request, source: SourceDep, registry: str = "", before: Annotated[int | None, Query(ge=1)] = None
) -> HTMLResponse:
    """Show champion, challenger and previous model of a registry, and its history.

    Args:
        request: The request.
        source: The records that the user may see.
        registry: The folder of the registry, one that records name; the one that was used last if empty.
        before: The number of the event before which the history is shown; None for the last events.
    """
    # The evaluation of models takes a tenth of a second to import, for which the first page of a server would wait.
    from airflow_movielens.plugin.evaluations import gate_chart

    registries = Registries.of(source)
    if not registries.folders:
        return render(request, "models.html", folders=[], problems=registries.problems)
    state = RegistryState.read(registries.chosen(registry))
    history = [event for event in reversed(state.events) if before is None or event.number < before]
    shown = history[:_EVENTS]
    judgements = _judgements(state, registries, source.catalogue.root)
    return render(
        request,
        "models.html",
        actions=_ACTIONS,
        aliases=_ALIASES,
        charts={model.alias: gate_chart(model.decision.figures) for model in state.models if model.decision},
        failed=registries.failures(state.folder),
        folders=registries.folders,
        history=shown,
        judgements=judgements,
        marks=_MARKS,
        older=shown[-1].number if len(history) > _EVENTS else None,
        problems=[*registries.problems, *state.problems],
        rollback=f"movielens models rollback --registry {quote(state.folder)} --reason WHY",
        state=state,
        tasks=_tasks(state, registries, shown),
    )


def _judgements(state: RegistryState, registries: Registries, root: str) -> dict[str, Judgement]:
    """Return the evaluations of champion and challenger, by the alias."""
    from airflow_movielens.plugin.evaluations import judgement_of

    records = registries.of_folder("evaluation", state.folder)
    found = {model.alias: judgement_of(model, records, root) for model in state.models if model.alias != "previous"}
    return {alias: judgement for alias, judgement in found.items() if judgement is not None}


def _tasks(state: RegistryState, registries: Registries, shown: list[Event]) -> dict[int, TaskRun | None]:
    """Return the task instance of each event that is shown, by its number."""
    of_models = [event for model in state.models for event in (model.registration, model.decision) if event]
    kinds: dict[str, list[Record]] = defaultdict(lambda: registries.of_folder("promotion", state.folder))
    kinds["register"] = registries.of_folder("training", state.folder)
    return {event.number: task_of(event, kinds[event.action]) for event in (*shown, *of_models)}
