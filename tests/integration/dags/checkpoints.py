"""A fetch whose first try fails halfway."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_movielens.operators import MovielensFetchRatingsOperator

with DAG(dag_id="breaks_off", start_date=datetime(2000, 1, 1), schedule=None):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        start_date="1970-01-02",
        end_date="1970-01-03",
        output_path=f"{os.environ['MOVIELENS_DATA_DIR']}/checkpoints/r.csv",
        batch_size=50,
        retries=1,
        retry_delay=timedelta(0),
    )
