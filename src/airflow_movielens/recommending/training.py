"""A model from ratings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.catalogue import Catalogue, catalogue_of
from airflow_movielens.recommending.histories import NO_RATINGS, Histories, histories_of, latest_of
from airflow_movielens.recommending.matrices import ProductsOfHistories, item_matrix
from airflow_movielens.recommending.model import Model, TrainingData
from airflow_movielens.recommending.parameters import ModelParameters

if TYPE_CHECKING:
    import polars as pl


def train(ratings: Any, parameters: ModelParameters | None = None) -> Model:
    """Train a model on ratings.

    If a user rated a movie more than once, only the latest rating counts (at the same second, the higher one). Ratings
    of PySpark are not collected: Spark adds them up, and gives the same model.

    Args:
        ratings: A dataframe (pandas, Polars eager or lazy, PyArrow, DuckDB, PySpark) with the columns userId, movieId,
            rating (0.5 to 5.0 stars) and timestamp (Unix seconds or times); further ones are ignored.
        parameters: The parameters of the model; None to choose them by the ratings, or the defaults if there are too
            few users for it, or if the ratings are of PySpark.

    Raises:
        TypeError: The ratings are no such dataframe.
        ValueError: There are no ratings, a column is missing, or a value is missing or wrong.
    """
    if hasattr(ratings, "sparkSession"):
        from airflow_movielens.recommending.spark import train_on_spark

        return train_on_spark(ratings, parameters or ModelParameters())
    latest = latest_of(ratings)
    if latest.is_empty():
        raise ValueError(NO_RATINGS)
    choice = None
    if parameters is None:
        from airflow_movielens.recommending.evaluation.parameter_choice import choose_parameters

        parameters, choice = choose_parameters(latest)
    prepared = _Prepared.of(latest, parameters)
    # The matrices need the memory.
    del latest
    return replace(prepared.model(parameters), parameter_choice=choice)


def train_on_latest(ratings: Any, parameters: ModelParameters) -> Model:
    """Train a model on ratings as `histories.latest_of` or `spark.latest_on_spark` returns them."""
    if hasattr(ratings, "sparkSession"):
        from airflow_movielens.recommending.spark import train_on_latest_of_spark

        return train_on_latest_of_spark(ratings, parameters)
    return _Prepared.of(ratings, parameters).model(parameters)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """All that a model needs of its ratings, in less memory than the ratings."""

    catalogue: Catalogue
    histories: Histories
    training_data: TrainingData

    @classmethod
    def of(cls, latest: pl.DataFrame, parameters: ModelParameters) -> _Prepared:
        catalogue = catalogue_of(latest, parameters)
        return cls(catalogue, histories_of(latest, catalogue.movies), TrainingData.of(latest))

    def model(self, parameters: ModelParameters) -> Model:
        num_movies = len(self.catalogue.movies)
        products = ProductsOfHistories(self.histories, num_movies, parameters.decay)
        matrix = item_matrix(products, num_movies, parameters)
        return Model(parameters, self.catalogue, matrix, self.training_data)
