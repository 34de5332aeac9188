"""Deadlines of partitions: a reference on the partition's date, and an alert that names the day.

Airflow's own reference is the logical date, which runs of partitions do not have: they get no deadline from it. Airflow
evaluates a reference when it creates a run, and calls back when the deadline passes before the run has succeeded.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import FatalError
from airflow_movielens.window import partition_day

try:
    from airflow.sdk.definitions.deadline import BaseDeadlineReference
except ImportError:
    HAS_PARTITIONS = False
    BaseDeadlineReference = object  # type: ignore[assignment,misc]
else:
    HAS_PARTITIONS = True

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


class PartitionDeadline(BaseDeadlineReference):
    """A deadline counts from the partition's date: ``DeadlineAlert(PartitionDeadline(), timedelta(hours=30), …)``.

    With an interval of 30 hours, the partition of a day is due at 06:00 UTC on the next day. A partition without a
    date, as in a run that an asset triggers, begins at 00:00 UTC of the day that its key names.

    A run gets no deadline, and a line in the log says so, if it has no partition, if its partition has no date and its
    key names no day, or if its partition is already old when the run is created, as in a backfill.

    Args:
        max_age: The longest time from the partition's date to the creation of a run that gets a deadline.

    Raises:
        FatalError: This Airflow has no partitions (3.2 and later do), or ``max_age`` is not positive.
    """

    required_kwargs = frozenset({"dag_id", "run_id"})

    def __init__(self, max_age: timedelta = timedelta(days=2)) -> None:
        if not HAS_PARTITIONS:
            raise FatalError("PartitionDeadline needs partitions, which Airflow has since 3.2: leave out the deadline")
        if max_age <= timedelta(0):
            raise FatalError(
                f"max_age is {max_age}: give the age, such as timedelta(days=2), up to which runs get a deadline"
            )
        self.max_age = max_age

    def serialize_reference(self) -> dict[str, Any]:
        """Return what Airflow stores with the Dag."""
        return {**super().serialize_reference(), "max_age": self.max_age.total_seconds()}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> PartitionDeadline:
        """Restore what `serialize_reference` returned."""
        return cls(timedelta(seconds=reference_data["max_age"]))

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        columns = select(DagRun.partition_key, DagRun.partition_date)
        row = session.execute(columns.where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()
        try:
            date = _date_of(row.partition_key, row.partition_date)
        except FatalError as error:
            # An exception would leave the run uncreated.
            log.warning("%s %s has no deadline: %s", dag_id, run_id, error)
            return None
        if datetime.now(UTC) - date > self.max_age:
            reason = f"{row.partition_key} was more than {self.max_age} (max_age) ago when it was created"
            log.info("%s %s has no deadline: %s", dag_id, run_id, reason)
            return None
        return date


async def log_missed_deadline(context: Mapping[str, Any]) -> None:
    """Log the sentence of `missed_deadline_message` as an error; for ``AsyncCallback``, so in the triggerer's log."""
    log.error("%s", missed_deadline_message(context))


def missed_deadline_message(context: Mapping[str, Any]) -> str:
    """Return a sentence that names the day, the Dag, the deadline and how long ago it was.

    Args:
        context: What Airflow passes to the callback of a deadline: the run as its REST API shows it, and the deadline.
    """
    run, deadline = context["dag_run"], _moment(context["deadline"]["deadline_time"])
    what = "has landed too late" if run["state"] == "success" else "has not landed"
    by = timedelta(seconds=int((datetime.now(UTC) - deadline).total_seconds()))
    return (
        f"{_name_of(run)} {what}: {run['dag_id']} missed its deadline of {deadline.astimezone(UTC):%Y-%m-%d %H:%M} UTC "
        f"by {by} (run {run['dag_run_id']}, {run['state']})"
    )


def _date_of(key: str | None, date: datetime | None) -> datetime:
    if date is not None:
        return date
    if key is None:
        raise FatalError("it is a run without a partition")
    return datetime.combine(partition_day(key, None), time(), UTC)


def _name_of(run: Mapping[str, Any]) -> str:
    """Return the day, followed by the partition's key if that says more."""
    key, date = run["partition_key"], run.get("partition_date")  # Airflow 3.2 leaves out the date
    try:
        day = str(partition_day(key or "", date and _moment(date)))
    except FatalError:
        return key or "A run without a partition"
    return day if key == day else f"{day} (partition {key})"


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
