"""How good recommendations are, without leaks.

- ``evaluating``: the figures of a model, its predecessor and baselines, at several cuts.
- ``new_users``: the figures of parameters at one cut.
- ``protocols``: which users are evaluated at a cut, what is known of them, and what they like later.
- ``recommenders``: what is compared at a cut: models, trained again where they know the future, and baselines.
- ``figures``: the figures of recommendations.
- ``bootstrap``: intervals of differences.
- ``parameter_choice``: parameters, chosen by how good the recommendations are.
- ``result``: an evaluation in a file.
- ``spark``: the parts that read all ratings, done by Apache Spark.
- ``report``: an evaluation as a page that people read.
- ``sections``, ``charts``: its parts with charts, and the charts.
"""

from __future__ import annotations

from airflow_movielens.recommending.evaluation.bootstrap import Comparison, compare
from airflow_movielens.recommending.evaluation.evaluating import evaluate
from airflow_movielens.recommending.evaluation.new_users import evaluate_new_users
from airflow_movielens.recommending.evaluation.result import Evaluation

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "evaluate_new_users"]
