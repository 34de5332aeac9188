"""### 7. Recommendations

`07_recommend` runs every Monday. It fetches all ratings, checks them, trains a model, evaluates it, promotes it if it
is good enough, and recommends ten movies with reasons to each user:

- `fetch_ratings` fetches all ratings up to yesterday into one Parquet file.
- `train_model` compares them with those of the champion, trains a model and registers it as the challenger.
- `evaluate_model` compares this model, the champion and baselines for new and existing users. It writes a report to
  open in a browser.
- `promote_model` makes the challenger the champion, or records why not. A refusal is not a failure.
- `recommend_movies` recommends movies by the champion, whichever model that is.

`movielens models list` shows the registry, and `movielens models rollback` returns to the previous champion. The
registry and the reports are in `MOVIELENS_MODELS_DIR`, by default beside the ratings. It is a local folder that all
workers see, even if the ratings are on object storage.
"""

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, Param
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_movielens.operators import (
    MovielensEvaluateOperator,
    MovielensFetchRatingsOperator,
    MovielensPromoteOperator,
    MovielensRecommendOperator,
    MovielensTrainOperator,
)

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find
FOLDER = f"{DATA_DIR}/07_recommend"
RATINGS = f"{FOLDER}/ratings.parquet"
MODELS_DIR = os.environ.get("MOVIELENS_MODELS_DIR", FOLDER)
REGISTRY = f"{MODELS_DIR}/registry"

with DAG(
    dag_id="07_recommend",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 5 * * 1", timezone="UTC"),
    start_date=datetime(1995, 1, 9),
    max_active_runs=1,
    params={
        "start_date": Param("1995-01-09", type="string", format="date", description="The day of the first rating"),
        "parameters": Param(None, type=["null", "object"], description="Parameters of the model, if not chosen by it"),
        "engine": Param("polars", enum=["polars", "spark"], description="What reads and adds up the ratings"),
        "n": Param(10, type="integer", minimum=1, description="Number of movies to recommend to each user"),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["movielens"],
):
    fetch = MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="movielens",
        start_date="{{ params.start_date }}",
        end_date="{{ dag_run.run_after | ds }}",
        output_path=RATINGS,
    )
    train = MovielensTrainOperator(
        task_id="train_model",
        input_path=RATINGS,
        registry=REGISTRY,
        parameters="{{ params.parameters | tojson }}",
        engine="{{ params.engine }}",
    )
    evaluate = MovielensEvaluateOperator(
        task_id="evaluate_model",
        input_path=RATINGS,
        registry=REGISTRY,
        output_path=f"{MODELS_DIR}/evaluations/{{{{ dag_run.run_after | ts_nodash }}}}",
        # This run's model, also if another one has been registered since.
        model=train.output,
        engine="{{ params.engine }}",
    )
    # With if_undecided="ask", a person decides where the evaluation has too few users to tell.
    promote = MovielensPromoteOperator(task_id="promote_model", registry=REGISTRY, evaluation_path=evaluate.output)
    recommend = MovielensRecommendOperator(
        task_id="recommend_movies",
        input_path=RATINGS,
        registry=REGISTRY,
        output_path=f"{FOLDER}/recommendations.parquet",
        n="{{ params.n }}",
        engine="{{ params.engine }}",
        outlets=[Asset("movielens_recommendations")],
    )
    fetch >> train >> evaluate >> promote >> recommend
