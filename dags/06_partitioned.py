"""### 6. Partitions

One partition per day, from the API to the rankings of each day and of each 30 days: `bayesian` ("best rated") and
`trending` ("popular now"). Each result is computed again exactly when its input has changed:

- `06_ratings` fetches a day into a Parquet file. Backfill it for any period. If the day has not landed by 06:00 UTC on
  the next day, an alert names it.
- `06_watch` runs when a trigger reports new or late ratings. When no day is being fetched, it reports the changed days,
  and `06_late` fetches them again.
- `06_rank` ranks the movies of a day after it was fetched.
- `06_windows` waits until no day is being fetched, then reports the 30-day windows that contain the fetched days, each
  window once, and those that begin the day after, whose movement depends on them. `06_trailing` ranks the movies of a
  window, with their movement since the window one day earlier. A window exists once its last day is fetched. A day of
  the window that was never fetched counts as empty, and the task's log says so.

Unpause all six Dags. They need Airflow 3.3.
"""

import logging
import os
from datetime import UTC, date, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_movielens.assets import create_asset
from airflow_movielens.deadlines import PartitionDeadline, log_missed_deadline
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.triggers import MovielensNewRatingsTrigger

log = logging.getLogger(__name__)

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find
RATINGS = f"{DATA_DIR}/06_partitioned/ratings"
RANKINGS = f"{DATA_DIR}/06_partitioned/rankings"
TRAILING = f"{DATA_DIR}/06_partitioned/trailing"
METHODS = ["bayesian", "trending"]
PORT = os.environ.get("MOVIELENS_PORT", "")  # Kubernetes sets it to tcp://… for a service named movielens
API = {"host": os.environ.get("MOVIELENS_HOST"), "port": int(PORT) if PORT.isdecimal() else None}
POLL_INTERVAL = float(os.environ.get("MOVIELENS_POLL_INTERVAL", "60"))
DAYS = 30
PATIENCE = timedelta(hours=1)
DUE = timedelta(hours=30)  # a day is due at 06:00 UTC on the next day
WAITING = {"mode": "reschedule", "poke_interval": 10, "timeout": 2 * PATIENCE.total_seconds()}

changed_days = Asset("movielens_changed_days")
ratings_daily = Asset("movielens_ratings_daily")
due_windows = Asset("movielens_due_windows")


def is_fetched(day: date) -> bool:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(f"{RATINGS}/{day}.parquet").exists()


def files_of_window(last: str, days_earlier: int = 0) -> list[str]:
    """Return the files of the window that ends with a day, or some days earlier."""
    end = date.fromisoformat(last) - timedelta(days=days_earlier)
    days = [end - timedelta(days=number) for number in reversed(range(DAYS))]
    fetched = [day for day in days if is_fetched(day)]
    if missing := sorted(set(days) - set(fetched)):
        log.warning("%d of %d days were never fetched: %s", len(missing), DAYS, ", ".join(map(str, missing)))
    return [f"{RATINGS}/{day}.parquet" for day in fetched]


def windows_with(days: list[str]) -> list[date]:
    """Return the last days of the windows that contain one of these days, or whose previous window does."""
    lasts = {date.fromisoformat(day) + timedelta(days=number) for day in days for number in range(DAYS + 1)}
    return sorted(last for last in lasts if is_fetched(last))


def skip_without_files(context) -> None:
    """Skip the task if no day of its window was fetched: there is nothing to compare to."""
    from airflow.sdk.exceptions import AirflowSkipException

    if not context["task"].input_path:
        raise AirflowSkipException("No day of this window was fetched")


def must_wait(ti, dag_run) -> bool:
    """Return whether days are being fetched; false after an hour, in case a fetch hangs."""
    fetching = sum(ti.get_dr_count(dag_id, states=["running"]) for dag_id in ("06_ratings", "06_late"))
    log.info("%d runs are fetching", fetching)
    return fetching > 0 and datetime.now(UTC) - dag_run.run_after < PATIENCE


@task.sensor(**WAITING, outlets=[changed_days])
def report_days(*, ti, dag_run, triggering_asset_events, outlet_events):
    """Report each day that has new ratings, except today, which `06_ratings` fetches when it is over.

    A running fetch may have started before these ratings arrived. It must not be the last to write the day's file, so
    the days are reported after it has ended.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    events = [event for events in triggering_asset_events.values() for event in events]
    payloads = [event.extra["payload"] for event in events if "payload" in event.extra]  # a manual event has none
    if any(payload["other_days"] for payload in payloads):
        log.warning("Ratings of days before the last %d days have changed: backfill 06_ratings for them", DAYS)
    today = str(datetime.now(UTC).date())
    days = sorted({day for payload in payloads for day in payload["days"] if day < today})
    if not days:
        raise AirflowSkipException("No past day has changed")
    if must_wait(ti, dag_run):
        return False
    outlet_events[changed_days].add_partitions(days)
    return True


@task.sensor(**WAITING, outlets=[due_windows])
def report_windows(*, ti, dag_run, triggering_asset_events, asset_state_store, outlet_events):
    """Collect the fetched days. The last of the queued runs reports the windows of all of them, each once."""
    from airflow.sdk import PokeReturnValue
    from airflow.sdk.exceptions import AirflowSkipException

    fetched = {event.partition_key for event in triggering_asset_events[ratings_daily]}
    days = sorted(fetched.union(asset_state_store.get("days", [])))
    asset_state_store.set("days", days)
    if ti.get_dr_count(dag_run.dag_id, states=["queued"]):
        raise AirflowSkipException("The next run is already queued and reports the windows of these days")
    if must_wait(ti, dag_run):
        return False
    outlet_events[due_windows].add_partitions([str(last) for last in windows_with(days)])
    return PokeReturnValue(is_done=True, xcom_value=days)


@task(inlets=[due_windows])
def forget_days(reported, *, asset_state_store):
    """Forget the reported days. In a task of its own: a report that is killed at its end is repeated, not lost."""
    asset_state_store.set("days", sorted(set(asset_state_store.get("days")).difference(reported)))


def define_dags():
    """Define the Dags, if Airflow has the classes that they need."""
    from airflow.sdk import (
        AsyncCallback,
        CronPartitionTimetable,
        DeadlineAlert,
        FixedKeyMapper,
        PartitionedAssetTimetable,
    )

    common = {
        "doc_md": __doc__,
        "start_date": datetime(1995, 1, 9),
        "default_args": {"retries": 2, "retry_delay": timedelta(seconds=30), "conn_id": "movielens"},
        "tags": ["movielens"],
    }
    daily = CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")
    due = DeadlineAlert(PartitionDeadline(), interval=DUE, callback=AsyncCallback(log_missed_deadline))
    for dag_id, schedule, deadline in [
        ("06_ratings", daily, due),
        ("06_late", PartitionedAssetTimetable(assets=changed_days), None),
    ]:
        with DAG(dag_id, schedule=schedule, deadline=deadline, **common):
            MovielensFetchRatingsOperator(
                task_id="fetch_ratings",
                output_path=f"{RATINGS}/{{{{ partition_key }}}}.parquet",
                outlets=[ratings_daily],
            )

    trigger = MovielensNewRatingsTrigger(conn_id="movielens", poll_interval=POLL_INTERVAL, lookback_days=DAYS)
    api = create_asset(**API, watchers=[AssetWatcher(name="new_ratings", trigger=trigger)])
    with DAG("06_watch", schedule=[api], max_active_runs=1, **common):
        report_days()

    with DAG("06_rank", schedule=PartitionedAssetTimetable(assets=ratings_daily), **common):
        for method in METHODS:
            MovielensRankMoviesOperator(
                task_id=f"rank_{method}",
                method=method,
                input_path=f"{RATINGS}/{{{{ partition_key }}}}.parquet",
                output_path=f"{RANKINGS}/{method}/{{{{ partition_key }}}}.csv",
                outlets=[Asset(f"movielens_{method}_daily")],
            )

    # All days have the same key here, so that one run can report the windows for all runs queued before it.
    together = PartitionedAssetTimetable(assets=ratings_daily, default_partition_mapper=FixedKeyMapper("windows"))
    with DAG("06_windows", schedule=together, max_active_runs=1, **common):
        forget_days(report_windows())

    with DAG(
        "06_trailing",
        schedule=PartitionedAssetTimetable(assets=due_windows),
        user_defined_macros={"files_of_window": files_of_window},
        render_template_as_native_obj=True,
        **common,
    ):
        for method in METHODS:
            # Not the file of yesterday's run, which may be late, or run again: this one has always the right inputs.
            before = MovielensRankMoviesOperator(
                task_id=f"rank_{method}_before",
                method=method,
                input_path="{{ files_of_window(partition_key, 1) }}",
                output_path=f"{TRAILING}/{method}/before/{{{{ partition_key }}}}.csv",
                pre_execute=skip_without_files,
            )
            MovielensRankMoviesOperator(
                task_id=f"rank_{method}",
                method=method,
                input_path="{{ files_of_window(partition_key) }}",
                output_path=f"{TRAILING}/{method}/{{{{ partition_key }}}}.csv",
                compare_to=before.output,
                outlets=[Asset(f"movielens_{method}_trailing")],
                trigger_rule="none_failed",
            )


try:
    define_dags()
except ImportError as error:
    log.warning("06_partitioned.py defines no Dags: it needs Airflow 3.3 (%s)", error)
