"""The work of the demo: fetch a fortnight by a backfill, rank the whole of it in three ways, and run further Dags."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from demo.errors import DemoError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.airflow_api import AirflowApi, Json
    from demo.watch import Watch

    ShowStates = Callable[[dict[str, str]], None]

FETCHING, FETCH_TASK = "05_pipeline", "fetch_ratings"
RANKING, RANK_TASKS = "05_pipeline_ranking", ("rank_bayesian", "rank_trending", "rank_movies")
RECOMMENDING = "07_recommend"
DAGS = (FETCHING, RANKING, RECOMMENDING)
# The busiest fortnight of the sample data.
FIRST_DAY, LAST_DAY = date(2000, 11, 15), date(2000, 11, 28)
DAYS = [FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
MIN_RATINGS = 3
LOG_LINES = 40


@dataclass(frozen=True)
class Fetched:
    """The result of one day's run."""

    day: str
    rows: int
    path: str


@dataclass(frozen=True)
class Rankings:
    """The rankings of the whole period, best movie first.

    Attributes:
        best_rated: By the damped mean, with the movement since the first week.
        popular: By the likes, of which recent ones weigh more, with the movement since the first week.
        by_mean: By the mean alone.
        folder: Where their files are.
    """

    best_rated: list[dict[str, str]]
    popular: list[dict[str, str]]
    by_mean: list[dict[str, str]]
    folder: Path


def end_interrupted_runs(airflow: AirflowApi, dags: Sequence[str] = DAGS) -> None:
    """Fail the runs that an interrupted demo left unfinished: they would continue, or block a new backfill."""
    for dag_id in dags:
        for backfill in airflow.unfinished_backfills(dag_id):
            airflow.cancel_backfill(backfill["id"])
        for run in airflow.runs(dag_id, state="queued") + airflow.runs(dag_id, state="running"):
            airflow.patch(f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}", {"state": "failed"})


def fetch(airflow: AirflowApi, watch: Watch, show: ShowStates) -> list[Fetched]:
    """Backfill all days, including those of an earlier demo, and return the result of each."""
    # Airflow creates the runs of a backfill one by one, and on SQLite rolls all back if the scheduler writes meanwhile:
    # the scheduler must not start any of them yet.
    airflow.set_paused(FETCHING, paused=True)
    watch.until("the creation of the backfill", lambda: _create_backfill(airflow))
    airflow.set_paused(FETCHING, paused=False)
    runs = watch.until("the backfill", lambda: _finished_days(airflow, show))
    airflow.set_paused(FETCHING, paused=True)
    return [_fetched(airflow, run) for run in runs]


def rank(airflow: AirflowApi, watch: Watch) -> Rankings:
    """Rank the whole period in a run of its own and return the rankings."""
    conf = {"start_date": str(FIRST_DAY), "end_date": str(LAST_DAY + timedelta(days=1)), "min_ratings": MIN_RATINGS}
    run_id = run_to_its_end(airflow, watch, RANKING, conf)
    best_rated, popular, by_mean = (
        Path(airflow.xcom(RANKING, run_id, task)["path"].removeprefix("file://")) for task in RANK_TASKS
    )
    return Rankings(_rows(best_rated), _rows(popular), _rows(by_mean), by_mean.parent)


def run_to_its_end(airflow: AirflowApi, watch: Watch, dag_id: str, conf: Json) -> str:
    """Run a Dag once, wait until the run has succeeded, and return its id."""
    airflow.set_paused(dag_id, paused=False)
    run_id = airflow.trigger(dag_id, conf)
    watch.until(f"a run of {dag_id}", lambda: _has_finished(airflow, airflow.run(dag_id, run_id)))
    airflow.set_paused(dag_id, paused=True)
    return run_id


def _rows(ranking: Path) -> list[dict[str, str]]:
    with ranking.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _create_backfill(airflow: AirflowApi) -> bool:
    """Try once to create the runs of all days; return False if it must be tried again."""
    backfill = {
        "dag_id": FETCHING,
        "from_date": f"{FIRST_DAY}T00:00:00Z",
        "to_date": f"{LAST_DAY}T00:00:00Z",
        "reprocess_behavior": "completed",
    }
    end_interrupted_runs(airflow)
    try:
        airflow.post("/backfills", backfill)
    except RefusedError as error:
        if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return False
    return True


def _finished_days(airflow: AirflowApi, show: ShowStates) -> list[Json] | None:
    first, last = f"{FIRST_DAY}T00:00:00Z", f"{LAST_DAY}T00:00:00Z"
    runs = airflow.runs(FETCHING, logical_date_gte=first, logical_date_lte=last)
    show({_day(run): run["state"] for run in runs})
    finished = [_has_finished(airflow, run) for run in runs]
    if [_day(run) for run in runs] != [str(day) for day in DAYS]:
        raise DemoError(f"The backfill of {FETCHING} created runs for other days than {FIRST_DAY} to {LAST_DAY}.")
    return runs if all(finished) else None


def _has_finished(airflow: AirflowApi, run: Json) -> bool:
    if run["state"] == "failed":
        raise _failure(airflow, run)
    return bool(run["state"] == "success")


def _failure(airflow: AirflowApi, run: Json) -> DemoError:
    """Return an error that names the failed task of a run, with its log."""
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    failed = [task for task in airflow.tasks(dag_id, run_id) if task["state"] == "failed"]
    if not failed:
        return DemoError(f"The run {run_id} of the Dag {dag_id} failed without a failed task.")
    task = failed[0]
    log = airflow.task_log(dag_id, run_id, task["task_id"], task["try_number"])
    message = f"The task {task['task_id']} of the Dag {dag_id} failed{_period(run)}. Its log:"
    return DemoError(message, _last_attempt(log))


def _last_attempt(log: str) -> str:
    """Return the end of the log, without earlier demos' lines and the marks that fold the log in Airflow's UI."""
    lines = log.rpartition("::group::Pre Execute")[2].splitlines()
    return "\n".join(
        [line for line in lines if line and "::group::" not in line and "::endgroup::" not in line][-LOG_LINES:]
    )


def _fetched(airflow: AirflowApi, run: Json) -> Fetched:
    manifest = airflow.xcom(FETCHING, run["dag_run_id"], FETCH_TASK)
    return Fetched(_day(run), manifest["rows"], manifest["path"])


def _period(run: Json) -> str:
    """Return the days of a run, to be appended to a sentence."""
    return {FETCHING: f" for {_day(run)}", RANKING: f" for {FIRST_DAY} to {LAST_DAY}"}.get(run["dag_id"], "")


def _day(run: Json) -> str:
    return str(run["logical_date"])[:10]
