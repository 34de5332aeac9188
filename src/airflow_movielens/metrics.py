"""Metrics of tasks, sent to where Airflow sends its own: to StatsD, Datadog or OpenTelemetry."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow.sdk import Context

log = logging.getLogger(__name__)


def send_success(kind: str, facts: Mapping[str, Any], context: Context) -> None:
    """Send the metrics of a task that has succeeded. Nothing happens if Airflow's metrics are off.

    Args:
        kind: What the task has done, such as ``fetch``.
        facts: Its manifest or return value.
        context: The context of the task.
    """

    def send(stats: Any, tags: dict[str, str]) -> None:
        for name, number in _counts(kind, facts):
            stats.incr(f"movielens.{kind}.{name}", number, tags=tags)
        if kind == "fetch":
            stats.timing("movielens.fetch.duration", facts["fetch"]["seconds"] * 1000, tags=tags)

    _try(send, context)


def send_failure(kind: str, error: BaseException, context: Context) -> None:
    """Count a task that has failed, also if it will be retried. Nothing happens if Airflow's metrics are off.

    Args:
        kind: What the task was to do, such as ``fetch``.
        error: Why it has failed.
        context: The context of the task.
    """
    _try(
        lambda stats, tags: stats.incr(f"movielens.{kind}.failures", tags={**tags, "error": type(error).__name__}),
        context,
    )


@contextmanager
def failures_sent(kind: str, context: Context) -> Iterator[None]:
    """Count a failure of the block; a skipped, deferred or stopped task has not failed. See `send_failure`."""
    try:
        yield
    except BaseException as error:
        if is_failure(error):
            send_failure(kind, error, context)
        raise


def is_failure(error: BaseException) -> bool:
    """Return whether a task that raises this has failed; otherwise it is skipped, deferred or stopped."""
    # By name: the modules of both differ in Airflow 3.1. The timeout is no Exception; nor is a deferral, or a stop.
    name = type(error).__name__
    return name == "AirflowTaskTimeout" or (isinstance(error, Exception) and name != "AirflowSkipException")


def _counts(kind: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the counters of a success. Zeros too: alerts need a counter that exists before something happens."""
    if kind == "fetch":
        yield "rows", facts["rows"]
        yield "quarantined_rows", facts["quarantined"]
        yield "resumed_rows", facts["fetch"]["resumed_rows"]
        yield "requests_repeated", facts["fetch"]["requests_repeated"]
    elif kind == "load":
        for name in ("inserted", "updated", "deleted"):
            yield f"{name}_rows", facts[name]
    elif kind == "promotion":
        yield "promoted", int(facts["is_promoted"])
        yield "refused", int(not facts["is_promoted"] and facts["version"] != facts["champion"])


def _try(send: Callable[[Any, dict[str, str]], None], context: Context) -> None:
    """Call ``send`` with Airflow's metrics and the tags of the task; no task fails because of it."""
    ti: Any = context.get("ti")
    if ti is None:
        return
    try:
        # As Airflow tags its own: with the team, if there are teams (3.3).
        tags = getattr(ti, "stats_tags", None) or {"dag_id": ti.dag_id, "task_id": ti.task_id}
        send(_stats(), tags)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        log.warning("The metrics of this task are incomplete: %s", error)


def _stats() -> Any:
    try:
        # Its import starts the metrics anew on Airflow 3.2, and OpenTelemetry loses those that were sent before.
        import airflow.sdk.serde  # noqa: F401
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats
    return Stats
