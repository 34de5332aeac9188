"""What receives the metrics of tests: a StatsD server and an OpenTelemetry collector."""

from __future__ import annotations

import gzip
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA as DELTA


class StatsdServer:
    """A UDP socket that keeps what it receives until it is asked."""

    def __init__(self, listener):
        self._listener = listener
        self.port = listener.getsockname()[1]

    def lines(self):
        """Return what has arrived. On the loopback interface, a datagram has arrived once it is sent."""
        received = []
        while True:
            try:
                received += self._listener.recv(65536).decode().splitlines()
            except BlockingIOError:
                return received


@contextmanager
def statsd_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0)
        yield StatsdServer(listener)


class Point(NamedTuple):
    """A value that arrived at a collector; of a histogram, the sum."""

    name: str
    tags: dict[str, str]
    value: float
    is_delta: bool


class OtelCollector(ThreadingHTTPServer):
    """An OTLP receiver that keeps all metrics."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Exports)
        self.exported = []

    def points(self, prefix):
        """Return all points of the metrics whose names have a prefix."""
        metrics = [metric for metric in self.exported if metric.name.startswith(prefix)]
        data = [(metric.name, getattr(metric, metric.WhichOneof("data"))) for metric in metrics]
        return [_point(name, group, point) for name, group in data for point in group.data_points]


class _Exports(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportMetricsServiceRequest.FromString(body)
        scopes = [scope for resource in request.resource_metrics for scope in resource.scope_metrics]
        self.server.exported += [metric for scope in scopes for metric in scope.metrics]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _point(name, group, point):
    tags = {attribute.key: attribute.value.string_value for attribute in point.attributes}
    value = point.sum if hasattr(point, "sum") else getattr(point, point.WhichOneof("value"))
    return Point(name, tags, value, getattr(group, "aggregation_temporality", None) == DELTA)


@contextmanager
def otel_collector():
    with OtelCollector() as collector:
        thread = Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()
