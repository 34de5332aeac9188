"""### 6. Partitions

One partition a day, from the API to two rankings, and each is made again exactly when what it is made of has changed:

- `06_ratings` fetches a day into a Parquet file; backfill it over any days.
- `06_watch` is told by a trigger of new and late ratings; when no day is being fetched, `06_late` fetches theirs again.
- `06_rank` ranks a day as soon as it has been fetched.
- `06_windows` waits until no day is being fetched, then tells which 30-day windows the fetched days are part of, each
  once; `06_trailing` ranks them. A window begins to exist when its last day is fetched; a day in it that never was
  counts as empty, and the task's log says so.

Unpause all six. They need Airflow 3.3.
"""

import logging
import os
from datetime import UTC, date, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_movielens.assets import create_asset
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.triggers import MovielensNewRatingsTrigger

log = logging.getLogger(__name__)

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - where a reader finds it
RATINGS = f"{DATA_DIR}/06_partitioned/ratings"
RANKINGS = f"{DATA_DIR}/06_partitioned/rankings"
TRAILING = f"{DATA_DIR}/06_partitioned/trailing"
PORT = os.environ.get("MOVIELENS_PORT", "")  # Kubernetes sets it to tcp://… for a service called movielens
API = {"host": os.environ.get("MOVIELENS_HOST"), "port": int(PORT) if PORT.isdecimal() else None}
POLL_INTERVAL = float(os.environ.get("MOVIELENS_POLL_INTERVAL", "60"))
DAYS = 30
PATIENCE = timedelta(hours=1)
WAITING = {"mode": "reschedule", "poke_interval": 10, "timeout": 2 * PATIENCE.total_seconds()}

changed_days = Asset("movielens_changed_days")
ratings_daily = Asset("movielens_ratings_daily")
ranking_daily = Asset("movielens_ranking_daily")
due_windows = Asset("movielens_due_windows")
ranking_trailing = Asset("movielens_ranking_trailing")


def is_fetched(day: date) -> bool:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(f"{RATINGS}/{day}.parquet").exists()


def files_of_window(last: str) -> list[str]:
    """The files of the window that ends with a day."""
    days = [date.fromisoformat(last) - timedelta(days=number) for number in reversed(range(DAYS))]
    fetched = [day for day in days if is_fetched(day)]
    if missing := sorted(set(days) - set(fetched)):
        log.warning("%d of %d days were never fetched: %s", len(missing), DAYS, ", ".join(map(str, missing)))
    return [f"{RATINGS}/{day}.parquet" for day in fetched]


def windows_with(days: list[str]) -> list[date]:
    """The last days of the windows that have one of these days in them."""
    lasts = {date.fromisoformat(day) + timedelta(days=number) for day in days for number in range(DAYS)}
    return sorted(last for last in lasts if is_fetched(last))


def must_wait(ti, dag_run) -> bool:
    """Whether days are being fetched; a fetch that hangs is not waited for longer than an hour."""
    fetching = sum(ti.get_dr_count(dag_id, states=["running"]) for dag_id in ("06_ratings", "06_late"))
    log.info("%d runs are fetching", fetching)
    return fetching > 0 and datetime.now(UTC) - dag_run.run_after < PATIENCE


@task.sensor(**WAITING, outlets=[changed_days])
def tell_days(*, ti, dag_run, triggering_asset_events, outlet_events):
    """Tell each day that has new ratings; today is left to `06_ratings`, which fetches it when it is over.

    A fetch that is under way may have begun before these ratings came. It must not be the last to write the day's file,
    so the days are told when it has ended.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    events = [event for events in triggering_asset_events.values() for event in events]
    payloads = [event.extra["payload"] for event in events if "payload" in event.extra]  # one made by hand has none
    if any(payload["other_days"] for payload in payloads):
        log.warning("Ratings of days before the last %d have changed: backfill 06_ratings over them", DAYS)
    today = str(datetime.now(UTC).date())
    days = sorted({day for payload in payloads for day in payload["days"] if day < today})
    if not days:
        raise AirflowSkipException("No day that is over has changed")
    if must_wait(ti, dag_run):
        return False
    outlet_events[changed_days].add_partitions(days)
    return True


@task.sensor(**WAITING, outlets=[due_windows])
def tell_windows(*, ti, dag_run, triggering_asset_events, asset_state_store, outlet_events):
    """Collect the days that were fetched; the last run that waits tells the windows of all, each once."""
    from airflow.sdk import PokeReturnValue
    from airflow.sdk.exceptions import AirflowSkipException

    fetched = {event.partition_key for event in triggering_asset_events[ratings_daily]}
    days = sorted(fetched.union(asset_state_store.get("days", [])))
    asset_state_store.set("days", days)
    if ti.get_dr_count(dag_run.dag_id, states=["queued"]):
        raise AirflowSkipException("The next run, which waits already, tells the windows of these days")
    if must_wait(ti, dag_run):
        return False
    outlet_events[due_windows].add_partitions([str(last) for last in windows_with(days)])
    return PokeReturnValue(is_done=True, xcom_value=days)


@task(inlets=[due_windows])
def forget_days(told, *, asset_state_store):
    """Only now: windows are told once more, not never, if the task before dies at its end."""
    asset_state_store.set("days", sorted(set(asset_state_store.get("days")).difference(told)))


def define_dags():
    """Define the Dags, where Airflow has all that they are made of."""
    from airflow.sdk import CronPartitionTimetable, FixedKeyMapper, PartitionedAssetTimetable

    common = {
        "doc_md": __doc__,
        "start_date": datetime(1995, 1, 9),
        "default_args": {"retries": 2, "retry_delay": timedelta(seconds=30), "conn_id": "movielens"},
        "tags": ["movielens"],
    }
    daily = CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")
    for dag_id, schedule in [("06_ratings", daily), ("06_late", PartitionedAssetTimetable(assets=changed_days))]:
        with DAG(dag_id, schedule=schedule, **common):
            MovielensFetchRatingsOperator(
                task_id="fetch_ratings",
                output_path=f"{RATINGS}/{{{{ partition_key }}}}.parquet",
                outlets=[ratings_daily],
            )

    trigger = MovielensNewRatingsTrigger(conn_id="movielens", poll_interval=POLL_INTERVAL, lookback_days=DAYS)
    api = create_asset(**API, watchers=[AssetWatcher(name="new_ratings", trigger=trigger)])
    with DAG("06_watch", schedule=[api], max_active_runs=1, **common):
        tell_days()

    with DAG("06_rank", schedule=PartitionedAssetTimetable(assets=ratings_daily), **common):
        MovielensRankMoviesOperator(
            task_id="rank_movies",
            input_path=f"{RATINGS}/{{{{ partition_key }}}}.parquet",
            output_path=f"{RANKINGS}/{{{{ partition_key }}}}.csv",
            outlets=[ranking_daily],
        )

    # All days have one and the same key here, and one run at a time tells for those that wait behind it.
    together = PartitionedAssetTimetable(assets=ratings_daily, default_partition_mapper=FixedKeyMapper("windows"))
    with DAG("06_windows", schedule=together, max_active_runs=1, **common):
        forget_days(tell_windows())

    with DAG(
        "06_trailing",
        schedule=PartitionedAssetTimetable(assets=due_windows),
        user_defined_macros={"files_of_window": files_of_window},
        render_template_as_native_obj=True,
        **common,
    ):
        MovielensRankMoviesOperator(
            task_id="rank_movies",
            input_path="{{ files_of_window(partition_key) }}",
            output_path=f"{TRAILING}/{{{{ partition_key }}}}.csv",
            outlets=[ranking_trailing],
        )


try:
    define_dags()
except ImportError as error:
    log.warning("06_partitioned.py defines no Dags: it needs Airflow 3.3 (%s)", error)
