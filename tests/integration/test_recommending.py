"""The operators that train and evaluate models, and recommend movies: what they write, register and report."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from unit import brute_force_model as slow

from airflow_movielens.operators import MovielensEvaluateOperator, MovielensRecommendOperator, MovielensTrainOperator
from airflow_movielens.recommending import ModelParameters, load_model
from airflow_movielens.recommending import train as train_model
from airflow_movielens.recommending.evaluation import Evaluation
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.recommend import recommend_to_all

RATINGS = slow.awkward_ratings()
PARAMETERS = {"lambda_1": 5.0, "lambda_2": "5", "min_likes": "4"}
MODEL = train_model(RATINGS, ModelParameters(lambda_1=5.0, lambda_2=5.0, min_likes=4))


@pytest.fixture
def files(tmp_path):
    """Write the ratings into two files, with ratings of the same users."""
    folder = tmp_path / "ratings"
    folder.mkdir()
    RATINGS.head(100).write_parquet(folder / "1.parquet")
    RATINGS.slice(100).write_csv(folder / "2.csv")
    return f"{folder}/*"


@pytest.fixture
def registry(tmp_path):
    """Make a registry with a champion."""
    registry = ModelRegistry(tmp_path / "registry")
    registry.promote(registry.register(MODEL, by="a test", reason="a test"), by="a test", reason="a test")
    return registry


def train(files, registry, **arguments):
    return MovielensTrainOperator(task_id="train", input_path=files, registry=registry, **arguments).execute({})


def recommend(files, registry, output, **arguments):
    operator = MovielensRecommendOperator(
        task_id="recommend", input_path=files, registry=registry, output_path=output, **arguments
    )
    return operator.execute({})


def test_a_model_is_trained_on_files_and_registered(files, tmp_path):
    found = train(files, tmp_path / "registry", parameters=PARAMETERS)
    registry = ModelRegistry(tmp_path / "registry")
    assert registry.aliases().challenger == found["version"]
    assert registry.path_of("challenger") == tmp_path / "registry" / "models" / f"{found['version']}.npz"
    assert found["path"] == str(registry.path_of("challenger"))
    model = load_model(found["path"])
    assert model.matrix.tolist() == MODEL.matrix.tolist()
    assert found["parameters"]["lambda_2"] == 5.0
    assert (found["ratings"], found["users"], found["movies"]) == (
        MODEL.trained_on.ratings, MODEL.trained_on.users, len(MODEL.catalogue.movies),
    )  # fmt: skip
    (event,) = registry.history()
    assert event.by.endswith(".train")
    assert event.reason == f"trained on {found['ratings']} ratings from {found['first_day']} to {found['last_day']}"
    assert len(json.dumps(found)) < 1000


def test_parameters_may_be_rendered_as_json(files, tmp_path):
    found = train(files, tmp_path / "registry", parameters=json.dumps(PARAMETERS))
    assert found["parameters"]["lambda_2"] == 5.0
    assert train(files, tmp_path / "registry", parameters="null")["parameters"]["min_likes"] == 5


def test_a_retry_registers_no_other_model(files, tmp_path):
    found = train(files, tmp_path / "registry", parameters=PARAMETERS)
    assert train(files, tmp_path / "registry", parameters=PARAMETERS) == found
    assert len(ModelRegistry(tmp_path / "registry").history()) == 1


def test_ratings_like_those_of_the_champion_are_trained_on_with_warnings_in_the_log(files, registry, caplog):
    caplog.set_level("INFO")
    found = train(files, registry.folder, parameters=PARAMETERS | {"trend": 0.5})
    assert registry.aliases().challenger == found["version"]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("Data check freshness: warning. The last rating is from 1970-07-04" in words for words in warned), warned
    assert "Data check drift: ok" in caplog.text


def test_drifted_ratings_are_not_trained_on(files, registry, tmp_path):
    RATINGS.with_columns(rating=pl.lit(5.0)).write_parquet(tmp_path / "fives.parquet")
    with pytest.raises(AirflowFailException, match=r"no model is trained on these ratings\. The distribution .* PSI"):
        train(tmp_path / "fives.parquet", registry.folder, parameters=PARAMETERS)
    assert len(registry.history()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"parameters": {"lambda": 5}}, "a model has no parameter 'lambda': it takes lambda_1, lambda_2"),
        ({"parameters": "[5]"}, "the parameters are \\[5\\]: give a dictionary of lambda_1, lambda_2"),
        ({"parameters": "lambda_1"}, "the parameters are 'lambda_1': give a dictionary"),
        ({"parameters": {"decay": "fast"}}, "decay is 'fast': give a number of at least 0"),
        ({"engine": "duckdb"}, "there is no engine 'duckdb': use 'polars' or 'spark'"),
        ({"engine": "spark"}, "engine='spark' needs PySpark"),
        ({"registry": "s3://bucket/registry"}, "give a local folder that all workers share"),
        ({"files": "/nowhere/*.parquet"}, "no file matches /nowhere/"),
    ],
)
def test_training_that_cannot_work_fails_without_retries(files, tmp_path, arguments, said):
    with pytest.raises(AirflowFailException, match=said):
        train(**{"files": files, "registry": tmp_path / "registry", **arguments})
    assert not (tmp_path / "registry").exists()


def test_all_users_are_recommended_movies_with_reasons(files, registry, tmp_path):
    manifest = recommend(files, registry.folder, tmp_path / "best.parquet", n="3")
    found = pl.read_parquet(tmp_path / "best.parquet")
    assert found.equals(MODEL.recommend(RATINGS, n=3, explain=True))
    reason = pl.Struct({"movieId": pl.Int32, "rating": pl.Float32, "contribution": pl.Float32})
    assert dict(found.schema) == {
        "userId": pl.Int32, "rank": pl.Int32, "movieId": pl.Int32, "score": pl.Float32, "reasons": pl.List(reason),
    }  # fmt: skip
    users = RATINGS["userId"].n_unique()
    expected = {
        "path": str(tmp_path / "best.parquet"), "rows": 3 * users, "users": users, "n": 3, "ratings": len(RATINGS),
        "files": 2, "model": registry.aliases().champion,
    }  # fmt: skip
    assert manifest.items() >= expected.items()
    assert json.loads((tmp_path / ".best.parquet.manifest.json").read_text()) == manifest
    assert len(json.dumps(manifest)) < 2000


@pytest.mark.parametrize("at_once", [1, 700, 10**9])
def test_the_batches_of_users_do_not_change_the_file(files, tmp_path, at_once):
    paths = [files.replace("*", name) for name in ("1.parquet", "2.csv")]
    output = str(tmp_path / f"{at_once}.parquet")
    manifest = recommend_to_all(paths, MODEL, "v", output, 4, at_once=at_once)
    assert pl.read_parquet(output).equals(MODEL.recommend(RATINGS, n=4, explain=True))
    assert manifest.rows == 4 * manifest.users


def test_each_batch_holds_the_ratings_of_its_users_only(files, tmp_path):
    seen = []

    class Watched:
        """A model that notes how many users and ratings it is given at once."""

        def recommend(self, ratings, *arguments, **options):
            seen.append((ratings["userId"].n_unique(), len(ratings)))
            return MODEL.recommend(ratings, *arguments, **options)

    paths = [files.replace("*", name) for name in ("1.parquet", "2.csv")]
    recommend_to_all(paths, Watched(), "v", str(tmp_path / "best.parquet"), 1, at_once=1000)
    batches = [batch for batch in seen if batch != (0, 0)]
    assert len(batches) > 3
    assert sum(users for users, _ in batches) == RATINGS["userId"].n_unique()
    assert sum(ratings for _, ratings in batches) == len(RATINGS)
    assert all(users * 200 + ratings <= 2000 for users, ratings in batches)


def test_recommendations_go_to_object_storage(files, registry, tmp_path):
    attach(protocol="memory", fs=MemoryFileSystem())
    recommend(files, registry.folder, "memory://bucket/best.parquet")
    recommend(files, registry.folder, tmp_path / "best.parquet")
    assert ObjectStoragePath("memory://bucket/best.parquet").read_bytes() == (tmp_path / "best.parquet").read_bytes()


def test_lineage_has_the_ratings_the_model_and_the_recommendations(files, registry, tmp_path):
    given = {"input_path": files, "registry": registry.folder}
    trainer = MovielensTrainOperator(task_id="train", parameters=PARAMETERS | {"trend": 0.5}, **given)
    recommender = MovielensRecommendOperator(task_id="recommend", output_path=tmp_path / "best.parquet", **given)
    trained, written = trainer.execute({}), recommender.execute({})
    training, recommending = (operator.get_openlineage_facets_on_complete(None) for operator in (trainer, recommender))
    ratings = [files.replace("*", name) for name in ("1.parquet", "2.csv")]
    champion = str(registry.path_of("champion"))
    assert [dataset.name for dataset in training.inputs] == ratings
    assert [dataset.name for dataset in training.outputs] == [trained["path"]]
    assert [dataset.name for dataset in recommending.inputs] == [*ratings, champion]
    assert [dataset.name for dataset in recommending.outputs] == [written["path"]]
    assert recommending.outputs[0].outputFacets["outputStatistics"].rowCount == written["rows"]


def test_without_a_champion_the_task_is_skipped(files, tmp_path):
    train(files, tmp_path / "registry", parameters=PARAMETERS)
    with pytest.raises(AirflowSkipException, match=r"because the registry .*registry has no champion yet"):
        recommend(files, tmp_path / "registry", tmp_path / "best.parquet")
    assert not (tmp_path / "best.parquet").exists()
    assert recommend(files, tmp_path / "registry", tmp_path / "best.parquet", model="challenger")["rows"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "best"}, "has no model 'best': give a version, champion, challenger or previous"),
        ({"output": "best.csv"}, "the output best.csv is no Parquet file"),
        ({"n": 0}, "n is 0: give a whole number of at least 1"),
        ({"registry": "s3://bucket/registry"}, "give a local folder"),
        ({"files": "/nowhere/1.parquet"}, "there is no file /nowhere/1.parquet"),
    ],
)
def test_recommending_that_cannot_work_fails_without_retries(files, registry, tmp_path, arguments, said):
    usual = {"files": files, "registry": registry.folder, "output": tmp_path / "best.parquet"}
    with pytest.raises(AirflowFailException, match=said):
        recommend(**usual | arguments)
    assert not (tmp_path / "best.parquet").exists()


def test_the_file_is_whole_or_as_before_if_an_input_is_damaged(files, registry, tmp_path):
    output = tmp_path / "best.parquet"
    recommend(files, registry.folder, output)
    before = output.read_bytes()
    with Path(files.replace("*", "2.csv")).open("a") as damaged:
        damaged.write("1,2,9.9,5\n")
    with pytest.raises(AirflowFailException, match=r"2\.csv, line \d+: .*9\.9"):
        recommend(files, registry.folder, output)
    assert output.read_bytes() == before


EVALUATED = pl.DataFrame(
    [
        (user, (user * 7 + place * 3) % 40, 4.0 + (user + place) % 3 / 2, (0 if user < 40 else 1000 * slow.DAY) + place)
        for user in range(80)
        for place in range(20)
    ],
    schema=slow.SCHEMA,
    orient="row",
)


def evaluate(folder, **arguments):
    EVALUATED.write_parquet(folder / "all.parquet")
    given = {
        "input_path": str(folder / "all.parquet"),
        "registry": folder / "registry",
        "output_path": folder / "report",
    }
    return MovielensEvaluateOperator(task_id="evaluate", **{**given, "cuts": ["1972-09-27"], **arguments}).execute({})


def test_the_challenger_of_a_registry_is_evaluated(tmp_path):
    registry = ModelRegistry(tmp_path / "registry")
    model = train_model(EVALUATED, ModelParameters(lambda_1=5.0))
    version = registry.register(model, by="a test", reason="a test")
    found = evaluate(tmp_path)
    evaluation = Evaluation.load(found["path"])
    assert Path(found["report"]).read_text().startswith("<!doctype html>")
    assert (found["challenger"], found["users"], found["cuts"]) == (version, 40, ["1972-09-27T00:00:00Z"])
    assert "champion" not in found
    assert found["ndcg"]["challenger"] == pytest.approx(pl.Series(evaluation.gate_users["challenger"]).mean(), abs=1e-4)
    assert found["sentences"][0].startswith("For new users, this model")
    assert len(json.dumps(found)) < 2000
    # After a promotion, a retry evaluates the same model, with itself as the champion.
    registry.promote(version, by="a test", reason="a test")
    again = evaluate(tmp_path)
    assert (again["challenger"], again["champion"]) == (version, version)
    assert again["sentences"][1] == "For new users, this model equals the champion."


def test_the_model_that_was_trained_is_evaluated_if_another_one_was_registered_since(tmp_path):
    registry = ModelRegistry(tmp_path / "registry")
    first, second = (
        registry.register(train_model(EVALUATED, ModelParameters(lambda_1=number)), by="a test", reason="a test")
        for number in (5.0, 6.0)
    )
    for model in (first, {"version": first, "path": "as a training returns it"}):
        assert evaluate(tmp_path, model=model)["challenger"] == first
    assert evaluate(tmp_path)["challenger"] == second
    registry.promote(second, by="a test", reason="a test")
    found = evaluate(tmp_path, model=first)
    assert (found["challenger"], found["champion"]) == (first, second)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "has no challenger"),
        ({"model": "20000101T000000Z-00000000"}, "has no model '20000101T000000Z-00000000'"),
        ({"model": {"path": "a"}}, "model is {'path': 'a'}: give the output of a training's task"),
        ({"output_path": "s3://bucket/report"}, "the report would be in s3://bucket/report: give a local folder"),
        ({"cuts": ["soon"]}, "the cut is 'soon': give a day"),
    ],
)
def test_an_evaluation_that_cannot_be_made_fails_at_once(arguments, said, tmp_path):
    with pytest.raises(AirflowFailException, match=said):
        evaluate(tmp_path, **arguments)
