"""How a model was judged: the evaluation that belongs to it, as charts."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import fsum, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.root_files import is_registry_of
from airflow_movielens.recommending.evaluation import Evaluation
from airflow_movielens.recommending.evaluation.charts import Bar, differences
from airflow_movielens.recommending.evaluation.result import REPORT_NAME
from airflow_movielens.recommending.evaluation.sections import (
    MINUS,
    Section,
    by_cut,
    returning,
    who_finds_most,
)
from airflow_movielens.recommending.gate import ALLOWED_LOSS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_movielens.plugin.registries import AliasedModel
    from airflow_movielens.storage.catalogue import Record, TaskRun

_HALF_WIDTH = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Judgement:
    """The evaluation of a model.

    Attributes:
        path: The file ``evaluation.json``.
        report: The report for the browser, which lies beside it.
        made_at: When it was made; None if it cannot be read.
        sentences: What it says of the model; empty if no task made it.
        sections: The charts; empty if it cannot be read.
        problem: What is wrong, and what to do; None if nothing is.
        task: The task instance that made it; None if it is not known.
    """

    path: str
    report: str
    made_at: str | None
    sentences: list[str]
    sections: list[Section]
    problem: str | None
    task: TaskRun | None


def judgement_of(model: AliasedModel, records: Iterable[Record], root: str) -> Judgement | None:
    """Return the evaluation that decided about a model, or else the last one of it; None if there is none.

    Args:
        model: The model.
        records: The records of evaluations.
        root: The data root.
    """
    own = [record for record in records if record.succeeded and record.facts.get("challenger") == model.version]
    own.sort(key=lambda record: record.at)
    decided_by = _decided_by(model)
    path = decided_by.get("path") or next((record.path for record in reversed(own)), None)
    if path is None:
        return None
    record = next((record for record in reversed(own) if record.path == path), None)
    if is_registry_of(root, path):
        made_at, sections, problem = _read(Path(path), decided_by.get("sha256"))
    else:
        made_at, sections, problem = None, [], f"{path} is not in the data root, so this page does not read it."
    return Judgement(
        path=str(path),
        report=str(Path(path).with_name(REPORT_NAME)),
        made_at=made_at,
        sentences=[] if record is None else record.facts.get("sentences", []),
        sections=sections,
        problem=problem,
        task=None if record is None else record.task,
    )


def _decided_by(model: AliasedModel) -> dict[str, str]:
    """Return path and checksum of the evaluation that decided about a model; empty if they are not known."""
    evaluation = None if model.decision is None else model.decision.figures.get("evaluation")
    if not isinstance(evaluation, dict):
        return {}
    return {name: value for name, value in evaluation.items() if isinstance(value, str)}


def gate_chart(figures: Mapping[str, Any]) -> str:
    """Return the differences that the gate decided by, as a chart in HTML; empty if the figures are not of the gate."""
    names = {
        "trending": "From the trending movies, which it must beat",
        "champion": f"From the champion at that time; a loss of {100 * ALLOWED_LOSS:g} % is allowed",
    }
    try:
        rows = [_share(label, figures[name]) for name, label in names.items() if name in figures]
    except (LookupError, TypeError, ValueError):
        return ""
    return differences(rows, "worse", "better") if rows else ""


def _share(label: str, found: Mapping[str, float]) -> Bar:
    value, low, high = (float(found[name]) for name in ("relative", "low", "high"))
    text = " ".join([f"{100 * value:+.1f} %", f"({100 * low:+.1f} % to {100 * high:+.1f} %)"]).replace("-", MINUS)
    return Bar(label, value, low, high, text, is_main=low > 0 or high < 0)


def _read(path: Path, expected: str | None) -> tuple[str | None, list[Section], str | None]:
    """Return when an evaluation was made, its charts, and what is wrong."""
    try:
        evaluation = Evaluation.load(path)
        sections = _sections(evaluation)
    except FileNotFoundError:
        return None, [], f"{path} does not exist on the API server, so there are no charts: mount its folder here too."
    except OSError as error:
        return None, [], f"The evaluation cannot be read: {error}."
    except ValueError as error:
        return None, [], f"{error}."
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        return None, [], f"{path} is damaged ({error!r}): clear the task that evaluates, so that it runs again."
    changed = None
    if expected is not None and sha256(path.read_bytes()).hexdigest() != expected:
        changed = f"{path} has changed since the decision, so the figures may be others than those decided by."
    return evaluation.made_at, sections, changed


def _sections(evaluation: Evaluation) -> list[Section]:
    baselines = [name for name in ("trending", "champion") if name in evaluation.recommenders]
    return [
        who_finds_most(evaluation, _interval),
        *(by_cut(evaluation, name) for name in baselines),
        returning(evaluation),
    ]


def _interval(figures: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean by the normal distribution, as wide as that of the report's bootstrap.

    A bootstrap would take seconds, and NumPy.
    """
    size = len(figures)
    mean = fsum(figures) / size
    error = sqrt(fsum((figure - mean) ** 2 for figure in figures) / size / size)
    return mean - _HALF_WIDTH * error, mean + _HALF_WIDTH * error
