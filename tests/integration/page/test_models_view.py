"""The view of models: which one is live, how it was judged, and what happened before."""

from __future__ import annotations

import re
from html import unescape

import pytest
from integration.page.recommending_data import DAG, RUN, RecommendingData

from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Record, TaskRun


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return RecommendingData.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def data(made, data_root, catalogue):
    """Return a copy of the data in the data root, which the catalogue knows."""
    copy = made.copied(data_root)
    copy.record(catalogue)
    return copy


def text_of(response):
    """Return the text that a page shows, without tags."""
    assert response.status_code == 200, response.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def section(text, start, end):
    return text[text.index(start) : text.index(end, text.index(start))]


def test_without_a_model_the_view_says_what_to_do(page):
    assert "No model has been trained yet. Unpause the Dag 07_recommend" in text_of(page.get("/movielens/models/"))


def test_each_model_is_shown_with_its_training_and_its_decision(page, data):
    text = text_of(page.get("/movielens/models/"))
    champion = section(text, "Champion The model", "Challenger The model")
    assert f"Version {data.champion}" in champion
    assert "1,200 ratings of 60 users, 1970-01-01 to 1972-09-27 Catalogue" in champion
    assert "40 movies" in champion
    assert f"by {DAG}.promote Reason For 100 new users, it is better than the trending movies: NDCG@10" in champion
    assert "Parameters Given to the training. All values lambda_1 20.0" in champion
    challenger = section(text, "Challenger The model", "Previous The champion")
    assert f"Version {data.challenger}" in challenger
    assert "Refused" in challenger
    assert "There are 20 new users, too few." in challenger
    previous = section(text, "Previous The champion", "How the champion was judged")
    assert f"Version {data.previous}" in previous
    assert "by ada@laptop Reason there was none" in previous


def test_the_evaluation_is_shown_with_intervals(page, data):
    response = page.get("/movielens/models/")
    text = text_of(response)
    judged = section(text, "How the champion was judged", "History")
    assert "It is better, by much." in judged
    assert "Of each of 20 users who were new, 1 or 3 likes were known." in judged
    assert "1 known like, 20 users new since September 1972" in judged
    assert f"The full report: {data.evaluation.with_name('evaluation.html')}" in judged
    assert "How the challenger was judged" not in text
    labels = re.findall(r'aria-label="([^"]*)"', response.text)
    (decided,) = [label for label in labels if label.startswith("From the trending movies")]
    assert re.fullmatch(
        r"From the trending movies, which it must beat: \+\d+\.\d % \(\+\d+\.\d % to \+\d+\.\d %\)", decided
    )
    assert "From the champion at that time; a loss of 3 % is allowed: +0.0 % (+0.0 % to +0.0 %)" in labels


def test_the_bars_have_the_intervals_of_the_report(made):
    import polars as pl

    from airflow_movielens.plugin.evaluations import _interval
    from airflow_movielens.recommending.evaluation import Evaluation
    from airflow_movielens.recommending.evaluation.bootstrap import interval_of_mean

    figures = Evaluation.load(made.evaluation).gate_users["challenger"] * 3
    assert _interval(figures) == pytest.approx(interval_of_mean(pl.Series(figures)), abs=0.004)


def test_the_history_says_who_did_what_and_why(page, data):
    response = page.get("/movielens/models/")
    history = text_of(response).partition("History ")[2]
    actions = re.findall(r"UTC (Registered|Promoted|Refused|Restored) (\S+) by (\S+)", history)
    assert actions == [
        ("Refused", data.challenger, f"{DAG}.promote"),
        ("Registered", data.challenger, f"{DAG}.train"),
        ("Promoted", data.champion, f"{DAG}.promote"),
        ("Registered", data.champion, f"{DAG}.train"),
        ("Promoted", data.previous, "ada@laptop"),
        ("Registered", data.previous, "ada@laptop"),
    ]
    assert "the first <model>" in history
    assert "<model>" not in response.text
    assert f"movielens models rollback --registry {data.registry} --reason WHY" in history
    assert f'href="/dags/{DAG}/runs/{RUN}/tasks/promote"' in response.text


def test_a_long_history_has_pages(page, data):
    registry = ModelRegistry(data.registry)
    for number in range(60):
        registry.rollback(by="ada", reason=f"reason {number}")
    response = page.get("/movielens/models/")
    (older,) = re.findall(r'<a href="([^"]+)">Older events', response.text)
    text = text_of(response)
    assert ("reason 10" in text, "reason 9 " in text) == (True, False)
    text = text_of(page.get(unescape(older)))
    assert ("reason 10" in text.partition("History ")[2], "reason 9 " in text, "the first <model>" in text) == (
        False,
        True,
        True,
    )
    assert "Older events" not in text


def test_a_damaged_event_is_said_and_the_rest_is_shown(page, data):
    (data.registry / "history" / "00000003.json").write_text("{")
    text = text_of(page.get("/movielens/models/"))
    assert "00000003.json is damaged" in text
    assert "restore it from a backup" in text
    assert f"Version {data.champion}" in text


def test_a_damaged_last_event_hides_the_champion_but_not_the_history(page, data):
    (data.registry / "history" / "00000006.json").write_text("{}")
    text = text_of(page.get("/movielens/models/"))
    assert (
        "00000006.json is no event of a registry of models: remove it, or restore it from a backup. The last event says"
        in text
    )
    assert "Champion The model" not in text
    assert f"Promoted {data.champion}" in text


@pytest.mark.parametrize(
    ("damage", "said"), [("missing", "is missing: restore it from a backup"), ("cut", "is damaged (")]
)
def test_a_damaged_file_of_a_model_is_said(page, data, damage, said):
    path = data.registry / "models" / f"{data.champion}.npz"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:5000])
    champion = section(text_of(page.get("/movielens/models/")), "Champion The model", "Challenger The model")
    assert said in champion
    assert "Reason For 100 new users" in champion


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist on the API server, so there are no charts"),
        ("{", "holds no evaluation"),
        ("changed", "has changed since the decision"),
        ("emptied", "is damaged ("),
    ],
)
def test_a_damaged_evaluation_is_said(page, data, content, said):
    whole = data.evaluation.read_text()
    if content is None:
        data.evaluation.unlink()
    else:
        emptied = re.sub(r'"gate_users": \{.*?\}', '"gate_users": {}', whole, flags=re.DOTALL)
        data.evaluation.write_text({"changed": whole + "\n", "emptied": emptied}.get(content, content))
    text = text_of(page.get("/movielens/models/"))
    assert said in text
    assert ("Who finds what new users like" in text) == (content == "changed")


def test_a_registry_that_is_not_on_the_server_is_said(page, data):
    data.registry.rename(data.registry.with_name("elsewhere"))
    text = text_of(page.get("/movielens/models/"))
    assert f"{data.registry} does not exist on the API server. If a model was registered, mount the folder here" in text


def test_one_of_several_registries_is_chosen(page, data, made, catalogue, data_root):
    other = made.copied(data_root / "other")
    other.record(catalogue)
    response = page.get("/movielens/models/", params={"registry": str(other.registry)})
    assert f"Registry {other.registry}" in text_of(response)
    assert re.findall(r'<option value="([^"]+)" selected>', response.text) == [str(other.registry)]


def test_what_failed_last_is_said_until_it_succeeds(page, data, catalogue):
    def add(kind, minute, error=None, **facts):
        task = TaskRun(DAG, RUN, kind, -1, 2)
        at = f"2026-11-30T02:{minute:02}:00Z"
        path = str(data.registry)
        catalogue.add(Record(kind, at, path, succeeded=error is None, error=error, task=task, facts=facts))

    add("training", 1, "No space left.")
    add("evaluation", 2, "Too few users.", registry=str(data.registry))
    response = page.get("/movielens/models/")
    text = text_of(response)
    assert "The last training failed ( 2026-11-30 02:01 UTC ): No space left. Log , task" in text
    assert "The last evaluation failed ( 2026-11-30 02:02 UTC ): Too few users." in text
    assert f'href="/dags/{DAG}/runs/{RUN}/tasks/training?try_number=2"' in response.text
    add("training", 3, version=data.champion)
    text = text_of(page.get("/movielens/models/"))
    assert ("The last training failed" in text, "The last evaluation failed" in text) == (False, True)


def test_a_task_is_found_also_where_a_person_decided_in_it(page, data, catalogue):
    ModelRegistry(data.registry).promote(data.challenger, by="Ada L.", reason="Ada L. approved the model.")
    facts = {"version": data.challenger, "by": "Ada L.", "registry": str(data.registry)}
    task = TaskRun(DAG, "approved", "promote", -1, 1)
    at = "2026-11-30T02:00:00Z"
    catalogue.add(Record("promotion", at, str(data.registry), succeeded=True, error=None, task=task, facts=facts))
    text = page.get("/movielens/models/").text
    assert re.search(rf'href="/dags/{DAG}/runs/approved/tasks/promote"[^>]*>Ada L\.</a>', text)


def test_only_registries_of_the_catalogue_can_be_read(page, data, made):
    response = page.get("/movielens/models/", params={"registry": str(made.registry)})
    assert response.status_code == 404
    assert f"The catalogue has no registry {made.registry}." in unescape(response.text)
    assert data.champion not in response.text


def test_the_registry_of_a_dag_is_for_those_who_may_read_the_dag(analyst, page, made, data_root, catalogue):
    copy = made.copied(data_root)
    copy.record(catalogue, dag_id="07_recommend")
    assert copy.champion in page.get("/movielens/models/").text
    assert "No model has been trained yet." in analyst.get("/movielens/models/").text
