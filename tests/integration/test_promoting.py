"""The operator that promotes models: what the gate decides, and what a person who is asked decides."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from airflow.exceptions import AirflowFailException
from unit import brute_force_model as slow

from airflow_movielens.operators import MovielensPromoteOperator
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import Evaluation
from airflow_movielens.recommending.registry import Aliases, ModelRegistry

MODEL = train(slow.awkward_ratings().head(9), ModelParameters(min_likes=4))
GOOD, BAD = [0.5] * 50, [0.3] * 50


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path / "registry")


def registered(registry, number):
    model = replace(MODEL, parameters=ModelParameters(trend=float(number)))
    return registry.register(model, by="a test", reason="a test")


def evaluated(folder, challenger, champion=None, *, figures=GOOD, users=50):
    """Write an evaluation, and return the path of its folder."""
    names = {"challenger": challenger} | ({} if champion is None else {"champion": champion})
    found = {"challenger": figures, "champion": [0.45] * 50, "trending": [0.4] * 50, "shuffled": [0.0] * 50}
    evaluation = Evaluation(
        made_at="2026-11-29T02:00:00Z",
        ratings={},
        cuts=[],
        known_likes=[1, 3, 10],
        recommenders=[*names, "trending", "shuffled"],
        models={name: {"version": version} for name, version in names.items()},
        new_users=[],
        existing_users=[],
        gate_users={
            "userId": list(range(users)),
            **{name: found[name][:users] for name in (*names, "trending", "shuffled")},
        },
    )
    folder = folder / "evaluation"
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation.to_json()))
    return folder


def promote(registry, evaluation, **arguments):
    return MovielensPromoteOperator(
        task_id="promote", registry=registry.folder, evaluation_path=evaluation, **arguments
    ).execute({})


def test_the_first_good_model_is_promoted(registry, tmp_path):
    version = registered(registry, 1)
    found = promote(registry, evaluated(tmp_path, version))
    assert registry.aliases() == Aliases(version, None, None)
    assert (found["outcome"], found["is_promoted"], found["version"], found["champion"]) == (
        "accepted",
        True,
        version,
        None,
    )
    event = registry.history()[-1]
    assert (event.action, event.model, event.reason, event.figures) == (
        "promote",
        version,
        found["reason"],
        found["figures"],
    )
    assert event.by == found["by"]
    assert event.by.endswith(".promote")
    assert event.figures["evaluation"]["path"] == str(tmp_path / "evaluation" / "evaluation.json")
    assert len(json.dumps(found)) < 1500


def test_a_bad_model_is_refused_with_the_reason_and_the_task_succeeds(registry, tmp_path, capsys):
    first, second = registered(registry, 1), registered(registry, 2)
    registry.promote(first, by="a test", reason="a test")
    found = promote(registry, evaluated(tmp_path, second, first, figures=BAD))
    assert (found["outcome"], found["is_promoted"]) == ("refused", False)
    assert registry.aliases() == Aliases(first, second, None)
    event = registry.history()[-1]
    assert (event.action, event.model, event.figures) == ("refuse", second, found["figures"])
    assert "it is worse than the champion" in event.reason
    assert f"Did not promote {second}. {event.reason}" in capsys.readouterr().out


def test_too_few_users_are_refused_unless_a_person_is_asked(registry, tmp_path):
    version = registered(registry, 1)
    found = promote(registry, evaluated(tmp_path, version, users=10))
    assert (found["outcome"], found["is_promoted"]) == ("undecided", False)
    assert registry.history()[-1].action == "refuse"
    assert registry.history()[-1].reason == "There are 10 new users with enough likes, and the gate needs at least 30."


@pytest.mark.parametrize("form", [str, lambda folder: folder / "evaluation.json", lambda folder: {"path": str(folder)}])
def test_an_evaluation_is_a_folder_a_file_or_the_return_value_of_the_task(form, registry, tmp_path):
    folder = evaluated(tmp_path, registered(registry, 1))
    assert promote(registry, form(folder))["is_promoted"]


@pytest.mark.parametrize("figures", [GOOD, BAD])
def test_a_retry_records_nothing_twice(figures, registry, tmp_path):
    first, second = registered(registry, 1), registered(registry, 2)
    registry.promote(first, by="a test", reason="a test")
    evaluation = evaluated(tmp_path, second, first, figures=figures)
    found = promote(registry, evaluation)
    history = registry.history()
    assert promote(registry, evaluation) == found
    assert registry.history() == history


def test_the_champion_is_not_promoted_again_or_refused(registry, tmp_path):
    """Without a challenger, the champion is evaluated."""
    version = registered(registry, 1)
    registry.promote(version, by="a test", reason="a test")
    history = registry.history()
    assert not promote(registry, evaluated(tmp_path, version, version))["is_promoted"]
    assert registry.history() == history


def test_an_evaluation_of_an_earlier_champion_is_an_error(registry, tmp_path):
    first, second, third = (registered(registry, number) for number in (1, 2, 3))
    registry.promote(first, by="a test", reason="a test")
    evaluation = evaluated(tmp_path, third, first)
    registry.promote(second, by="a test", reason="a test")
    with pytest.raises(
        AirflowFailException, match=f"compares with '{first}', but the champion is '{second}': evaluate again"
    ):
        promote(registry, evaluation)
    assert registry.aliases().champion == second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"if_undecided": "promote"}, "if_undecided is 'promote': use 'refuse' or 'ask'"),
        ({"evaluation": {"version": "x"}}, "evaluation_path is .*: give the output of the evaluation's task"),
        ({"evaluation": "s3://bucket/evaluation.json"}, "is a URL: give a local path"),
        ({"challenger": None}, "does not say which model of the registry it is of: evaluate with the registry"),
        ({"challenger": "20260101T000000Z-01234567"}, "has no model '20260101T000000Z-01234567'"),
    ],
)
def test_mistakes_fail_without_a_retry(arguments, message, registry, tmp_path):
    registered(registry, 1)
    challenger = arguments.pop("challenger", "challenger")
    evaluation = arguments.pop("evaluation", evaluated(tmp_path, challenger))
    with pytest.raises(AirflowFailException, match=message):
        promote(registry, evaluation, **arguments)


@contextmanager
def meanwhile(act):
    """Act in a thread until it succeeds; `dag.test` waits until a response is recorded."""
    is_over = threading.Event()

    def try_often():
        while not is_over.wait(0.1) and not act():
            pass

    thread = threading.Thread(target=try_often)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def run_that_waits(dag_id):
    """Return the identifier of the run whose task waits for a person, or None."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskInstance.run_id).where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == "promote")
        return session.scalar(query.where(TaskInstance.state.in_(["awaiting_input", "deferred"])))


def respond(dag_id, choice):
    """Respond as a person does in the UI, once the task waits: call what serves the UI's request."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.utils.session import create_session

    run_id = run_that_waits(dag_id)
    if run_id is None:
        return False
    with create_session() as session:
        payload = UpdateHITLDetailPayload(chosen_options=[choice])
        person = SimpleAuthManagerUser(username="ada", role="admin")
        update_hitl_detail(
            dag_id=dag_id, dag_run_id=run_id, task_id="promote", update_hitl_detail_payload=payload,
            user=person, session=session, map_index=-1,
        )  # fmt: skip
    return True


def end_waits():
    """Let the scheduler end the waits whose time is over."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    SchedulerJobRunner(Job()).check_awaiting_input_timeouts()


# Before, `dag.test` cannot wait for a response.
@pytest.mark.airflow("3.3")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dag_id", "choice", "by", "said"),
    [
        ("asks", "Approve", "ada", "ada approved the model. "),
        ("asks", "Reject", "ada", "ada rejected the model. "),
        ("asks_briefly", None, "asks_briefly.promote", "Nobody responded within 0:00:00.100000. "),
    ],
)
def test_a_person_is_asked(dag_id, choice, by, said, registry, tmp_path, run_day):  # noqa: PLR0917
    first, second = registered(registry, 1), registered(registry, 2)
    registry.promote(first, by="a test", reason="a test")
    evaluation = evaluated(tmp_path, second, first, users=10)
    with meanwhile(lambda: respond(dag_id, choice) if choice else end_waits()):
        run = run_day(dag_id, conf={"registry": str(registry.folder), "evaluation": str(evaluation)})
    assert run.state == "success", run.log
    assert run.tasks == {"promote": "success", "after": "success"}
    assert f"Asking whether to promote {second}. There are 10 new users" in run.log
    event = registry.history()[-1]
    assert (event.action, event.model, event.by) == ("promote" if choice == "Approve" else "refuse", second, by)
    assert event.reason == f"{said}There are 10 new users with enough likes, and the gate needs at least 30."
    assert registry.aliases().champion == (second if choice == "Approve" else first)
    found = run.results["promote"]
    assert (found["outcome"], found["is_promoted"], found["by"]) == ("undecided", choice == "Approve", by)
    assert found["reason"] == event.reason


@pytest.mark.airflow("3.3")
@pytest.mark.slow
def test_an_approval_does_not_replace_a_new_champion(registry, tmp_path, run_day):
    first, second, third = (registered(registry, number) for number in (1, 2, 3))
    registry.promote(first, by="a test", reason="a test")
    evaluation = evaluated(tmp_path, third, first, users=10)

    def change_and_respond():
        if run_that_waits("asks") is None:
            return False
        registry.promote(second, by="bob", reason="by hand")
        return respond("asks", "Approve")

    with meanwhile(change_and_respond):
        run = run_day("asks", conf={"registry": str(registry.folder), "evaluation": str(evaluation)})
    assert run.state == "success", run.log
    assert registry.aliases().champion == second
    event = registry.history()[-1]
    assert (event.action, event.model, event.by) == ("refuse", third, "ada")
    assert event.reason.startswith("ada approved the model, but another model had become the champion. ")
