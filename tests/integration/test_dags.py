"""The Dags of `dags/`, run on Airflow over real days."""

from __future__ import annotations

import json
import runpy
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from unit.scripted_server import Response, serve

from airflow_movielens.recommending import train
from airflow_movielens.recommending.registry import Aliases, ModelRegistry

DAGS = Path(__file__).parents[2] / "dags"
FIVE = ["01_python", "02_hook", "03_operator", "04_sensor", "05_pipeline"]
DAY = 86_400
NOV_15_2000 = 974_246_400


def ranking_of(run_day, airflow, dag_id, day, next_day):
    run = run_day(dag_id, day)
    assert run.state == "success", run.log
    if dag_id != "05_pipeline":
        return (airflow / dag_id / "rankings" / f"{day}.csv").read_text()
    run = run_day("05_pipeline_ranking", conf={"start_date": day, "end_date": next_day, "min_ratings": 3})
    assert run.state == "success", run.log
    return (airflow / dag_id / "rankings" / f"{day}_{next_day}.csv").read_text()


def expected_ranking(truth, start, min_ratings=3):
    day = truth[(truth["timestamp"] >= start) & (truth["timestamp"] < start + DAY)]
    ranking = day.groupby(["movieId", "title"]).agg(avg_rating=("rating", "mean"), num_ratings=("userId", "nunique"))
    ranking = ranking[ranking["num_ratings"] >= min_ratings].reset_index()
    return ranking.sort_values(["avg_rating", "num_ratings", "movieId"], ascending=[False, False, True])


@pytest.mark.parametrize("dag_id", FIVE)
def test_every_dag_gives_the_same_ranking_for_the_same_day(run_day, airflow, truth, dag_id):
    ranking = ranking_of(run_day, airflow, dag_id, "2000-11-20", "2000-11-21")
    assert ranking == expected_ranking(truth, NOV_15_2000 + 5 * DAY).to_csv(index=False)
    assert ranking.count("\n") > 3


@pytest.mark.parametrize("dag_id", [dag_id for dag_id in FIVE if dag_id != "04_sensor"])
def test_a_day_without_ratings_gives_an_empty_ranking(run_day, airflow, dag_id):
    assert ranking_of(run_day, airflow, dag_id, "2000-11-18", "2000-11-19") == "movieId,title,avg_rating,num_ratings\n"


def test_a_day_without_ratings_is_skipped_by_the_sensor(run_day, airflow):
    run = run_day("04_sensor", "2000-11-18")
    assert run.tasks == {"wait_for_ratings": "skipped", "fetch_ratings": "skipped", "rank_movies": "skipped"}
    assert run.state == "success"


@pytest.mark.parametrize("dag_id", FIVE[1:])
def test_a_wrong_password_is_one_clear_message_and_no_file(run_day, airflow, connection, dag_id):
    connection(password="hunter2")
    run = run_day(dag_id, "2000-11-23")
    assert run.state == "failed"
    assert run.log.count("the API refuses the credentials: check user and password") >= 1
    assert "hunter2" not in run.log
    assert not list(airflow.glob(f"{dag_id}/*/2000-11-23*"))


def test_an_unreachable_api_is_one_clear_message_and_no_file(run_day, airflow, connection):
    connection(port=9)
    run = run_day("daily_trigger", "2000-11-24")
    assert run.tasks == {"fetch_ratings": "failed"}
    assert "no connection to the API: is it running, are host and port right?" in run.log
    assert not (airflow / "daily_trigger.csv").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zero_length", "the window has no length"),
        ("reversed", "the window is reversed"),
        ("bad_date", "start_date '2000-11-31' is not a day"),
        ("one_bound", "only one bound is given"),
    ],
)
def test_a_bad_window_fails_without_retries_and_without_a_file(run_day, airflow, name, message):
    run = run_day(f"window_{name}", "2000-11-20")
    assert run.tasks == {"fetch_ratings": "failed"}
    assert message in run.log
    assert not list(airflow.glob(f"window_{name}*"))


@pytest.mark.slow
def test_a_refused_model_leaves_the_champion_that_recommends(run_day, airflow, truth):
    folder = airflow / "07_recommend"
    registry = ModelRegistry(folder / "registry")
    champion = registry.register(train(truth), by="a test", reason="a good model")
    registry.promote(champion, by="a test", reason="a good model")
    # With so much of B₂ and so little regularisation, it knows its training by heart.
    bad = {"later_likes": 1000.0, "lambda_2": 0.001}
    run = run_day("07_recommend", conf={"n": 3, "parameters": bad})
    assert set(run.tasks.values()) == {"success"}, run.log
    assert run.results["train_model"]["parameters"].items() >= bad.items()
    assert run.results["train_model"]["ratings"] == len(truth)
    decision = run.results["promote_model"]
    assert decision["outcome"] == "refused", decision
    assert decision["reason"] in run.log
    assert registry.aliases() == Aliases(champion, decision["version"], None)

    recommended = pl.read_parquet(folder / "recommendations.parquet")
    assert run.results["recommend_movies"]["model"] == champion
    assert len(recommended) == 3 * truth["userId"].nunique()
    rated = pl.DataFrame({name: truth[name].to_numpy() for name in ("userId", "movieId")})
    assert recommended.join(rated.cast(pl.Int32), on=["userId", "movieId"]).is_empty()


def test_a_missing_day_of_a_period_is_reported(run_day):
    run = run_day("05_pipeline_ranking", conf={"start_date": "1999-01-01", "end_date": "1999-01-02"})
    assert run.tasks["rank_movies"] == "failed"
    assert "there is no file" in run.log
    assert "1999-01-01.parquet" in run.log


def test_the_books_dags_run_with_only_the_import_changed(run_day, airflow, truth):
    assert run_day("book_operator", "2000-11-20").state == "success"
    day = truth[(truth["timestamp"] >= NOV_15_2000 + 5 * DAY) & (truth["timestamp"] < NOV_15_2000 + 6 * DAY)]
    expected = day[["userId", "movieId", "rating", "timestamp"]].to_dict("records")
    assert json.loads((airflow / "book" / "2000-11-20.json").read_text()) == expected

    top = run_day("book_popularity", "2000-11-21").results["popularity"]
    assert top == expected_ranking(truth, NOV_15_2000 + 6 * DAY, 4).head(5).to_dict("records")
    assert top


def test_the_books_hook_and_sensor_dags_write_the_same_ratings_as_its_operator(run_day, airflow, truth):
    for dag_id in ("book_hook", "book_sensor"):
        run = run_day(dag_id, "2000-11-20")
        assert set(run.tasks.values()) == {"success"}, run.log
    hooked, waited = (airflow / dag_id / "2000-11-20.json" for dag_id in ("book_hook", "book_sensor"))
    assert json.loads(hooked.read_text()) == json.loads(waited.read_text())
    ranking = pl.read_csv(airflow / "book_hook" / "2000-11-20.csv")
    assert ranking["movieId"].to_list() == expected_ranking(truth, NOV_15_2000 + 5 * DAY, 2)["movieId"].to_list()


def test_without_dates_all_tasks_have_the_same_day(run_day, airflow):
    run = run_day("book_without_dates", "2000-11-20")
    assert set(run.tasks.values()) == {"success"}, run.log
    assert run.log.count("[2000-11-20, 2000-11-21)") >= 3
    assert (airflow / "book_without_dates" / "2000-11-21.json").exists()
    assert run.results["popularity"]


def test_a_trigger_timetable_without_dates_fetches_the_day_before(run_day, airflow):
    run = run_day("daily_trigger", "2000-11-20")
    expected = {
        "path": str(airflow / "daily_trigger.csv"),
        "start_date": "2000-11-20",
        "end_date": "2000-11-21",
        "rows": 1055,
    }
    assert run.results["fetch_ratings"].items() >= expected.items()


def test_windows_are_mapped_and_their_manifests_ranked(run_day, airflow):
    run = run_day("mapped", "2000-11-25")
    assert run.state == "success", run.log
    assert run.results["rank_movies"]["files"] == 2
    counts = {file.stem: len(pl.read_parquet(file)) for file in airflow.glob("mapped/*.parquet")}
    assert counts == {"20": 1055, "21": 1475}


MODES = ["poke", "reschedule", "deferred"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("ending", "state"), [("fail", "failed"), ("skip", "skipped"), ("never", "failed"), ("silent", "failed")]
)
def test_the_sensors_wait_ends_as_configured_whatever_its_mode(run_day, mode, ending, state):
    run = run_day(f"sensor_{mode}_{ending}", "2000-11-18")
    assert run.tasks == {"wait": state}
    assert "Found 0 ratings in [2000-11-18, 2000-11-19), waiting for 1" in run.log
    assert "imed out" in run.log or ending == "silent"


@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_that_finds_enough_ratings_is_not_deferred(run_day, mode):
    run = run_day(f"sensor_{mode}_fail", "2000-11-20")
    assert run.tasks == {"wait": "success"}
    assert "running trigger in line" not in run.log


# A day without ratings may be skipped; a misconfigured pipeline must not look like one.
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("ending", "state"), [("fail", "failed"), ("skip", "failed"), ("never", "skipped"), ("silent", "failed")]
)
def test_a_misconfigured_sensor_ends_at_once_whatever_its_mode(run_day, connection, mode, ending, state):
    connection(password="hunter2")
    run = run_day(f"sensor_{mode}_{ending}", "2000-11-20")
    assert run.tasks == {"wait": state}
    assert "the API refuses the credentials" in run.log
    assert "hunter2" not in run.log


@pytest.mark.parametrize("ending", ["skip", "never"])
def test_an_error_in_the_triggerer_ends_the_task_like_one_in_a_worker(run_day, connection, ending):
    def revoked(_path, _query, number):  # after the first poll, which is the worker's
        return Response({"detail": "no"}, 401) if number else Response({"result": [], "total": 0})

    # Another server, because the real one refuses logins for a while after wrong passwords.
    with serve(revoked) as server:
        connection(host=server.base_url, port=None)
        run = run_day(f"sensor_patient_{ending}", "2000-11-18")
        assert len(server.requests) == 2
    assert run.tasks == {"wait": "skipped" if ending == "never" else "failed"}
    assert "the API refuses the credentials" in run.log
    assert "running trigger in line" in run.log


def test_an_unforeseen_error_in_the_triggerer_is_retried(run_day, connection):
    with serve(lambda _path, _query, _number: Response({"result": [], "total": 0})) as server:
        connection(host=server.base_url, port=None)
        run = run_day("sensor_broken", "2000-11-18")
        assert len(server.requests) == 8  # four tries, each of which polls in the worker and in the triggerer
    assert run.tasks == {"wait": "failed"}
    assert "TypeError: nobody foresaw it" in run.log


def test_a_deferral_holds_plain_values_and_the_timeout():
    from airflow_movielens.sensors import MovielensRatingsSensor
    from airflow_movielens.task_errors import airflow_exceptions

    window = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
    sensor = MovielensRatingsSensor(
        task_id="wait",
        conn_id="movielens",
        min_ratings="7",
        poke_interval=timedelta(seconds=9),
        silent_fail=True,
        **window,
    )
    deadline = time.time() + 500
    with pytest.raises(airflow_exceptions().TaskDeferred) as deferred:
        sensor._wait_in_triggerer({}, deadline)
    # Longer than the trigger waits, because it polls once more at the deadline.
    assert timedelta(seconds=500) < deferred.value.timeout <= timedelta(seconds=530)
    asked = {"conn_id": "movielens", **window, "min_ratings": 7, "poll_interval": 9.0, "silent_fail": True}
    assert deferred.value.trigger.serialize()[1] == asked | {"deadline": deadline}


@pytest.mark.parametrize(
    ("ending", "error", "expected"),
    [
        ({}, "Trigger timeout", "AirflowSensorTimeout"),
        ({"soft_fail": True}, "Trigger timeout", "AirflowSkipException"),
        ({"never_fail": True}, "Trigger timeout", "AirflowSensorTimeout"),
        ({"soft_fail": True}, "Trigger failure", "TaskDeferralError"),
        ({"never_fail": True}, "Trigger failure", "AirflowSkipException"),
    ],
)
def test_without_a_working_triggerer_a_sensor_ends_as_in_a_worker(ending, error, expected):
    from airflow_movielens.sensors import MovielensRatingsSensor

    sensor = MovielensRatingsSensor(task_id="wait", **ending)
    with pytest.raises(Exception, match=r".") as ended:
        sensor.resume_execution("__fail__", {"error": error}, {})
    assert type(ended.value).__name__ == expected


def test_errors_that_may_be_fixed_meanwhile_are_retried():
    from airflow_movielens.client import RetryableError
    from airflow_movielens.sensors import MovielensRatingsSensor

    event = {"status": "failed", "message": "no such connection", "retry": True}
    with pytest.raises(RetryableError, match="no such connection"):
        MovielensRatingsSensor(task_id="wait", soft_fail=True).resume_execution(
            "execute_complete", {"event": event}, {}
        )


@pytest.mark.parametrize("mode", MODES)
def test_the_sensor_tolerates_an_outage_until_its_timeout(run_day, connection, mode):
    connection(port=9)
    run = run_day(f"sensor_{mode}_skip", "2000-11-20")
    assert run.tasks == {"wait": "skipped"}
    assert "The API is not available, polling again later: gave up after 4 attempts" in run.log
    assert "no connection to the API" in run.log


def test_airflows_own_setting_decides_whether_a_sensor_is_deferred(monkeypatch):
    from airflow_movielens.sensors import MovielensRatingsSensor

    assert not MovielensRatingsSensor(task_id="wait").deferrable
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert MovielensRatingsSensor(task_id="wait").deferrable
    assert not MovielensRatingsSensor(task_id="wait", deferrable=False).deferrable


def test_the_sensor_waits_for_enough_ratings(run_day):
    assert run_day("sensor_min_ratings", "2000-11-21").tasks == {"wait_1475": "success", "wait_1476": "skipped"}


def test_the_variables_of_a_kubernetes_service_break_no_dag(monkeypatch):
    monkeypatch.delenv("MOVIELENS_HOST", raising=False)
    for name, value in {"PORT": "tcp://10.0.0.1:80", "SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "80"}.items():
        monkeypatch.setenv(f"MOVIELENS_{name}", value)
    dags = {file.stem: runpy.run_path(str(file)) for file in DAGS.glob("*.py")}
    get_base_url = dags["01_python"]["_get_base_url"]
    with pytest.raises(
        ValueError, match=r"MOVIELENS_PORT is 'tcp://10\.0\.0\.1:80': give a port number, or a full URL"
    ):
        get_base_url()
    monkeypatch.setenv("MOVIELENS_HOST", "https://api.example.com/v1/")
    assert get_base_url() == "https://api.example.com/v1"
