"""Metrics of tasks that run below Airflow's supervisor, as they arrive at a server, and the page on monitoring."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException
from integration.metrics_receivers import otel_collector, statsd_server
from integration.test_promoting import BAD, evaluated, registered
from unit.scripted_server import Response, page_of, ratings, serve

import airflow_movielens
from airflow_movielens import metrics
from airflow_movielens.operators import MovielensToPostgresOperator
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Kind
from airflow_movielens.storage.catalogue.recording import recorded

SCRIPT = Path(__file__).with_name("supervised_task.py")
TESTS = SCRIPT.parents[1]
PAGE = (TESTS.parent / "docs/monitoring.md").read_text()
CONTEXT = {"ti": SimpleNamespace(dag_id="a_dag", run_id="a_run", task_id="a_task", map_index=-1, try_number=1)}
TAGS = {"dag_id": "a_dag", "task_id": "a_task"}
COUNTED = {
    ("fetch.rows", "fetch", None): 599,
    ("fetch.quarantined_rows", "fetch", None): 1,
    ("fetch.resumed_rows", "fetch", None): 0,
    ("fetch.requests_repeated", "fetch", None): 1,
    ("fetch.failures", "refused", "FatalError"): 1,
    ("promotion.promoted", "promote", None): 0,
    ("promotion.refused", "promote", None): 1,
}


def settings(word, port):
    """Return the settings of a block of the page, with the port of the test's server."""
    (block,) = [block for block in PAGE.split("```") if block.startswith("bash\n") and word in block]
    lines = [line.removeprefix("export ") for line in block.splitlines() if line.startswith("export ")]
    found = dict(line.split("=", 1) for line in lines)
    return {name: re.sub("8125|4318", str(port), value) for name, value in found.items()}


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows_of(title):
    return [line.split(" | ") for line in section(title).splitlines() if line.startswith("| `")]


@pytest.fixture
def run_tasks(airflow, api):
    """Return a function that runs a fetch with a bad row, a refused fetch and a promotion, and returns their log."""
    rows = ratings(600)
    rows[250]["rating"] = 9.0

    def overloaded_once(_, query, number):
        return Response(b"", 503) if number == 5 else page_of(rows, query)

    folder = airflow / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    evaluated(folder, registered(ModelRegistry(folder / "registry"), 1), figures=BAD)

    with serve(overloaded_once) as server:
        connections = {
            "AIRFLOW_CONN_FETCH": {"conn_type": "movielens", "host": server.base_url},
            "AIRFLOW_CONN_REFUSED": {"conn_type": "movielens", "host": api.base_url, "login": "me", "password": "no"},
        }

        def run(settings):
            environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])} | settings
            environment |= {name: json.dumps(parts) for name, parts in connections.items()}
            command = [sys.executable, str(SCRIPT), "metrics", "fetch", "refused", "promote"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            print(done.stdout, done.stderr)
            assert done.returncode == 0
            return done.stdout + done.stderr

        yield run


def test_metrics_arrive_at_an_opentelemetry_collector(run_tasks, airflow_version):
    has_own_address = airflow_version.release < (3, 2)
    with otel_collector() as collector:
        log = run_tasks(settings("OTEL_PORT" if has_own_address else "OTLP_ENDPOINT", collector.server_address[1]))
        points = collector.points("airflow.")

    ours = [point for point in points if point.name.startswith("airflow.movielens.")]
    durations = [point for point in ours if point.name == "airflow.movielens.fetch.duration"]
    assert {point.tags["task_id"] for point in durations} == {"fetch"}
    assert min(point.value for point in durations) > 0
    ours = [point for point in ours if point not in durations]  # gauges before Airflow 3.3, which may arrive twice
    assert {point.tags["dag_id"] for point in ours} == {"metrics"}
    assert {point.is_delta for point in ours} == {True}
    found = [(point.name[18:], point.tags["task_id"], point.tags.get("error")) for point in ours]
    assert dict(zip(found, [point.value for point in ours], strict=True)) == COUNTED
    assert len(found) == len(COUNTED)
    assert "metrics of this task are incomplete" not in log

    # What the page says about Airflow's own.
    failed = {point.name for point in points if point.tags.get("task_id") == "refused"}
    assert "airflow.ti.finish" in failed
    assert not failed & {"airflow.ti_failures", "airflow.operator_failures"}


def test_metrics_arrive_at_a_statsd_server(run_tasks):
    with statsd_server() as server:
        run_tasks(settings("STATSD_ON", server.port))
        lines = [line for line in server.lines() if line.startswith("airflow.movielens.")]
    (duration,) = [line for line in lines if line.startswith("airflow.movielens.fetch.duration,")]
    assert re.fullmatch(r"\S+,dag_id=metrics,task_id=fetch:[1-9][\d.]*\|ms", duration)
    assert sorted(line for line in lines if line != duration) == sorted(
        f"airflow.movielens.{name},dag_id=metrics,task_id={task}{f',error={error}' if error else ''}:{number}|c"
        for (name, task, error), number in COUNTED.items()
    )


class Sent(list):
    """Stands for Airflow's metrics."""

    def incr(self, name, count=1, *, tags):
        self.append((name, count, tags))


@pytest.fixture
def sent(monkeypatch):
    sent = Sent()
    monkeypatch.setattr(metrics, "_stats", lambda: sent)
    return sent


def test_a_model_that_is_the_champion_already_is_neither_promoted_nor_refused(sent):
    facts = {"is_promoted": False, "version": "a", "champion": "a"}
    metrics.send_success("promotion", facts, CONTEXT)
    assert sent == [("movielens.promotion.promoted", 0, TAGS), ("movielens.promotion.refused", 0, TAGS)]
    sent.clear()
    metrics.send_success("promotion", facts | {"is_promoted": True, "champion": None}, CONTEXT)
    assert sent == [("movielens.promotion.promoted", 1, TAGS), ("movielens.promotion.refused", 0, TAGS)]


def test_a_load_into_postgresql_counts_the_rows_that_it_changed_and_failures(sent, warehouse, tmp_path):
    def load(*keys):
        schema = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
        rows = [(user, 7, stars, 974_678_400) for user, stars in keys]
        pl.DataFrame(rows, schema, orient="row").write_parquet(tmp_path / "r.parquet")
        arguments = {"postgres_conn_id": "warehouse", "table": "ratings", "input_path": str(tmp_path / "r.parquet")}
        window = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
        return MovielensToPostgresOperator(task_id="load", create_table=True, **arguments, **window).execute(CONTEXT)

    def counted():
        found = {name.removeprefix("movielens.load."): count for name, count, tags in sent if tags == TAGS}
        sent.clear()
        return found

    load((1, 3.0), (2, 3.0), (3, 3.0))
    assert counted() == {"inserted_rows": 3, "updated_rows": 0, "deleted_rows": 0}
    load((2, 4.0), (3, 3.0))
    assert counted() == {"inserted_rows": 0, "updated_rows": 1, "deleted_rows": 1}
    warehouse("DROP TABLE ratings; CREATE TABLE ratings (one integer)")
    with pytest.raises(AirflowFailException):
        load((1, 3.0))
    assert sent == [("movielens.load.failures", 1, TAGS | {"error": "FatalError"})]


def test_tags_are_those_of_airflow(sent):
    ti = SimpleNamespace(**vars(CONTEXT["ti"]), stats_tags={**TAGS, "team_name": "a_team"})
    metrics.send_failure("ranking", KeyError("x"), {"ti": ti})
    assert sent == [("movielens.ranking.failures", 1, {**TAGS, "team_name": "a_team", "error": "KeyError"})]


def test_outside_of_a_task_nothing_is_sent(sent):
    metrics.send_failure("ranking", KeyError("x"), {})
    assert sent == []


def test_metrics_that_cannot_be_sent_cost_a_warning_and_no_task(monkeypatch, caplog):
    monkeypatch.setattr(metrics, "_stats", SimpleNamespace)
    with recorded("promotion", CONTEXT, "/registry") as recording:
        recording.done({"is_promoted": False, "version": "b", "champion": "a"})
    with pytest.raises(LookupError), recorded("promotion", CONTEXT, "/registry"):
        raise LookupError("the reason")
    lines = [record.getMessage() for record in caplog.records if record.name == metrics.__name__]
    assert (
        lines == ["The metrics of this task are incomplete: 'types.SimpleNamespace' object has no attribute 'incr'"] * 2
    )


def test_the_page_has_all_our_metrics():
    named = re.findall(r"`movielens\.([\w.]+)`", section("Metrics of this provider"))
    counted = {name for name, _, _ in COUNTED} | {f"load.{name}_rows" for name in ("inserted", "updated", "deleted")}
    assert set(named) == counted | {"fetch.duration"} | {f"{kind}.failures" for kind in (*get_args(Kind), "load")}


@pytest.mark.airflow("3.3")
def test_the_page_names_metrics_that_airflow_has():
    from airflow._shared.observability.metrics.metrics_registry import MetricsRegistry

    registry = MetricsRegistry()
    named = {name for row in rows_of("Metrics of Airflow") for name in re.findall(r"`([a-z_.]+)`", row[0])}
    assert len(named) > 15
    assert [name for name in sorted(named - {"pool_name"}) if registry.get(name=name) is None] == []


def test_the_page_names_lines_that_are_logged():
    lines = re.findall(r"^\| [\w ,]+ \| `([^`]+)` \|", section("Log lines"), flags=re.MULTILINE)
    source = "".join(path.read_text() for path in Path(airflow_movielens.__file__).parent.rglob("*.py"))
    assert len(lines) == 11
    assert [line for line in lines if line not in source] == []
