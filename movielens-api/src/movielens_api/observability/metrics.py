"""Metrics for Prometheus, of one process or of all workers together."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from movielens_api import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from movielens_api.recommendations.champion import Champion, Served

# prometheus_client's variable for the folder in which workers share their metrics.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "movielens_api"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"


class Metrics:
    """The metrics of an application.

    Args:
        ratings: Returns the current number of ratings.
        champion: The model that recommends movies, if any.

    Attributes:
        media_type: The media type of ``exposition``.
        began: Counts a request as in flight.
        ended: Counts it as finished.
    """

    media_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, ratings: Callable[[], int], champion: Champion | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        named: dict[str, Any] = {"namespace": _PREFIX, "registry": registry}
        address = ["method", "route"]
        self._requests = Counter("requests", "Finished requests.", [*address, "status"], **named)
        self._seconds = Histogram("request_duration_seconds", "From request to last byte.", address, **named)
        self._bytes = Counter("sent_bytes", "Bytes of bodies sent.", address, **named)
        self._rows = Counter("rows", "Ratings sent by GET or accepted by POST.", address, **named)
        in_flight = Gauge("requests_in_flight", "Requests in flight.", multiprocess_mode="livesum", **named)
        self.began, self.ended = in_flight.inc, in_flight.dec
        self._state = State(ratings, champion)
        self._of = lru_cache(maxsize=1024)(self._labelled)

    def count(self, method: str, route: str, status: int, *, seconds: float, sent: int, rows: int) -> None:
        """Count a finished request.

        Args:
            method: The method of the request.
            route: The documented path, such as ``/movies/{movieId}``; never a path that a client invented.
            status: The status of the response.
            seconds: How long the response took.
            sent: The size of the body in bytes.
            rows: The number of ratings sent or posted.
        """
        requests, duration, size, ratings = self._of(method if method in _METHODS else OTHER, route, status)
        requests.inc()
        duration.observe(seconds)
        size.inc(sent)
        if rows:
            ratings.inc(rows)

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        registry = CollectorRegistry()
        registry.register(self._state)
        if SHARED in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        ProcessCollector(registry=registry)
        return generate_latest(self._registry) + generate_latest(registry)

    def _labelled(self, method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter, Counter]:
        return (
            self._requests.labels(method, route, str(status)),
            self._seconds.labels(method, route),
            self._bytes.labels(method, route),
            self._rows.labels(method, route),
        )


class State:
    """Metrics that are read on demand, because they are the same in every worker."""

    def __init__(self, ratings: Callable[[], int], champion: Champion | None) -> None:
        self._ratings = ratings
        self._champion = champion

    def collect(self) -> Iterator[Metric]:
        """Yield the current values."""
        yield GaugeMetricFamily(f"{_PREFIX}_ratings", "Current number of ratings.", self._ratings())
        info = GaugeMetricFamily(f"{_PREFIX}_info", "The version of the server.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        if self._champion:
            yield from self._recommending(self._champion.served)

    def _recommending(self, served: Served) -> Iterator[Metric]:
        model = GaugeMetricFamily(f"{_PREFIX}_model", "The version of the model that recommends.", labels=["version"])
        if served.version:
            model.add_metric([served.version], 1)
        yield model
        problem = "1 while the champion of the registry is not the model that recommends."
        yield GaugeMetricFamily(f"{_PREFIX}_model_problem", problem, int(served.problem is not None))
