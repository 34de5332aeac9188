"""What is compared at a cut: models, trained again where they know the future, and baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_movielens.ranking.dataframes import collected
from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.recommending.catalogue import Catalogue, decayed_likes
from airflow_movielens.recommending.evaluation.figures import TOP
from airflow_movielens.recommending.evaluation.parameter_choice import choose_parameters
from airflow_movielens.recommending.histories import checksum_of, histories_of, latest_of, vectors
from airflow_movielens.recommending.matrices import liked_together
from airflow_movielens.recommending.model import Model, TrainingData
from airflow_movielens.recommending.parameters import ModelParameters
from airflow_movielens.recommending.training import train_on_latest

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from airflow_movielens.recommending.evaluation.protocols import Cut
    from airflow_movielens.recommending.matrices import Matrix

AS_IT_IS = "as it is"
TRAINED_AGAIN = "its parameters trained again on the ratings before the cut"
CHOSEN_AGAIN = "parameters chosen, and trained, again on the ratings before the cut"
_EASE_REGULARISATION = 400.0
# Of a baseline, nobody asks what it was trained on.
_NOTHING = TrainingData(0, 0, 0, 0, [0] * 10, "")


@dataclass(frozen=True, eq=False)
class Recommender:
    """What recommends movies to users.

    Attributes:
        model: The model.
        is_by_likes: Whether all likes count alike, and other ratings not at all.
    """

    model: Model
    is_by_likes: bool = False

    def recommend(self, known: pl.DataFrame, users: Iterable[int]) -> pl.DataFrame:
        """Return userId, rank, movieId and score of ten movies for each user, as `Model.recommend`."""
        import polars as pl

        if self.is_by_likes:
            # Stars with the weights 1 and 0.
            stars = pl.when(pl.col("rating") >= LIKE).then(4.0).otherwise(3.0).cast(pl.Float32)
            known = known.with_columns(rating=stars)
        return self.model.recommend(known, n=TOP, users=users)  # type: ignore[no-any-return]


def model_at(model: Model, name: str, cut: Cut, again: dict[ModelParameters, Model]) -> tuple[Model, str]:
    """Return the model that is evaluated at a cut, and whether it is the given one or trained again.

    A model that was trained only on ratings before the cut is evaluated as it is. Otherwise its parameters are trained
    again on the ratings before the cut. If they were chosen by ratings from after the cut, they are chosen again too.

    Args:
        model: The model.
        name: ``challenger`` or ``champion``. A champion may be older, and trained on other ratings.
        cut: The cut.
        again: The models trained again at this cut, by their parameters, so that none is trained twice.

    Raises:
        ValueError: The challenger was trained on other ratings than these, or parameters would have to be chosen by
            Spark.
    """
    until = model.trained_on.last_timestamp
    seen = _latest_until(cut.ratings, until)
    if until < cut.second:
        if not (problem := _unknown_until_then(model, seen)):
            return model, AS_IT_IS
        if name == "challenger":
            raise ValueError(
                f"the challenger says that it was trained on ratings until {until} (Unix seconds), but {problem}: it "
                "was trained on other ratings than these, or on later ones"
            )
    elif name == "challenger" and _checksum_of(seen) != model.trained_on.checksum:
        raise ValueError(
            f"the challenger was trained on other ratings until {until} (Unix seconds) than those given: the checksums "
            "differ. Give the ratings that it was trained on, or only cuts after them"
        )
    choice = model.parameter_choice or {}
    is_chosen_later = choice.get("replaces_defaults", False) and choice["until"] >= cut.second
    if is_chosen_later and hasattr(cut.before, "sparkSession"):
        raise ValueError(
            f"the parameters of the {name} were chosen by ratings after the cut {cut.second}, and Spark chooses none: "
            "give later cuts, or evaluate without Spark"
        )
    parameters = choose_parameters(cut.before)[0] if is_chosen_later else model.parameters
    if parameters not in again:
        again[parameters] = train_on_latest(cut.before, parameters)
    return again[parameters], CHOSEN_AGAIN if is_chosen_later else TRAINED_AGAIN


def _latest_until(ratings: Any, second: int) -> Any:
    """Return the latest rating of each user and movie, up to and with a second."""
    import narwhals as nw

    rows = nw.from_native(ratings).filter(nw.col("timestamp") <= second).to_native()
    if not hasattr(rows, "sparkSession"):
        return latest_of(rows)
    from airflow_movielens.recommending.spark import latest_on_spark

    return latest_on_spark(rows)


def _checksum_of(latest: Any) -> str:
    if not hasattr(latest, "sparkSession"):
        return checksum_of(latest)
    from airflow_movielens.recommending.spark import facts_on_spark

    return facts_on_spark(latest).checksum


def _unknown_until_then(model: Model, seen: Any) -> str | None:
    """Return what a model knows that the ratings until its last timestamp do not say, or None."""
    import narwhals as nw
    import numpy as np

    trained_on = model.trained_on
    frame = nw.from_native(seen).lazy()
    ratings, users = collected(frame.select(nw.len(), users=nw.col("userId").n_unique())).row(0)
    if trained_on.ratings > ratings or trained_on.users > users:
        return f"its {trained_on.ratings} ratings of {trained_on.users} users are more than there are until then"
    movies = collected(frame.select("movieId").unique())["movieId"]
    unknown = np.setdiff1d(model.catalogue.all_movies, movies.to_numpy())
    return f"it knows movie {unknown[0]}, which nobody rated until then" if len(unknown) else None


def shuffled(model: Model) -> Model:
    """Return a model with the labels of its movies permuted, as if it had been trained on shuffled movies."""
    import numpy as np

    movies = np.random.default_rng(0).permutation(model.catalogue.movies)
    return replace(model, catalogue=replace(model.catalogue, movies=movies))


def trending(ratings: Any, catalogue: Catalogue) -> Recommender:
    """Return the ranking by decayed likes, of ratings of Polars or PySpark."""
    import numpy as np

    return _ranked(catalogue.movies[np.lexsort((catalogue.movies, -decayed_likes(ratings, catalogue.movies)))])


def best_mean(ratings: Any, catalogue: Catalogue) -> Recommender:
    """Return the ranking by mean, then number of ratings; the movies of the catalogue all have a minimum of likes."""
    import narwhals as nw
    import polars as pl

    rated = nw.from_native(ratings).lazy().select("movieId", total=nw.col("rating").cast(nw.Float64), number=nw.lit(1))
    sums = collected(rated.group_by("movieId").agg(nw.col("total").sum(), nw.col("number").sum()))
    ranking = (
        sums.with_columns(pl.col("movieId").cast(pl.Int32), mean=pl.col("total") / pl.col("number"))
        .filter(pl.col("movieId").is_in(pl.Series(catalogue.movies).implode()))
        .sort("mean", "number", "movieId", descending=[True, True, False])
    )
    return _ranked(ranking["movieId"].to_numpy())


def ease(ratings: Any, catalogue: Catalogue) -> Recommender:
    """Return EASE (λ = 400) on likes, of ratings of Polars or PySpark."""
    import numpy as np

    movies = catalogue.movies
    only_these = _catalogue(movies, np.zeros(len(movies), np.float32), movies[:0])
    parameters = ModelParameters(decay=0.0, trend=0.0)
    return Recommender(Model(parameters, only_these, _ease_matrix(ratings, movies), _NOTHING), is_by_likes=True)


def _ease_matrix(ratings: Any, movies: npt.NDArray[np.int32]) -> Matrix:
    if hasattr(ratings, "sparkSession"):
        from airflow_movielens.recommending.spark import ease_on_spark

        return ease_on_spark(ratings, movies, _EASE_REGULARISATION)
    histories = histories_of(ratings, movies)
    likes = vectors(histories, histories.are_likes.astype("float32"), len(movies))
    return liked_together(likes, _EASE_REGULARISATION)


def _ranked(movies: npt.NDArray[np.int32]) -> Recommender:
    """Return a model that recommends the same movies, best first, to everybody: without a catalogue."""
    import numpy as np

    catalogue = _catalogue(movies[:0], np.zeros(0, np.float32), movies)
    return Recommender(Model(ModelParameters(), catalogue, np.zeros((0, 0), np.float32), _NOTHING))


def _catalogue(movies: Any, trend: Any, others: Any) -> Catalogue:
    import numpy as np

    return Catalogue(movies, trend, others, np.arange(len(others), 0, -1).astype(np.float32))
