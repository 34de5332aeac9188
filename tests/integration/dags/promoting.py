"""A model whose figures are undecided: a person is asked, who has much or little time to respond."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_movielens.operators import MovielensPromoteOperator

for dag_id, patience in (("asks", timedelta(hours=1)), ("asks_briefly", timedelta(seconds=0.1))):
    with DAG(dag_id, schedule=None) as dag:
        promote = MovielensPromoteOperator(
            task_id="promote",
            registry="{{ dag_run.conf['registry'] }}",
            evaluation_path="{{ dag_run.conf['evaluation'] }}",
            if_undecided="ask",
            response_timeout=patience,
        )
        promote >> EmptyOperator(task_id="after")
    globals()[dag_id] = dag
