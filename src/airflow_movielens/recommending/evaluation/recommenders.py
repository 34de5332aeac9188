"""What is compared at a cut: models, trained again where they know the future, and baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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

AS_IT_IS = "as it is"
TRAINED_AGAIN = "its parameters trained again on the ratings before the cut"
CHOSEN_AGAIN = "parameters chosen, and trained, again on the ratings before the cut"
_EASE_REGULARISATION = 400.0


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
        ValueError: The challenger was trained on other ratings than these.
    """
    import polars as pl

    until = model.trained_on.last_timestamp
    seen = latest_of(cut.ratings.filter(pl.col("timestamp") <= until))
    if until < cut.second:
        if not (problem := _unknown_until_then(model, seen)):
            return model, AS_IT_IS
        if name == "challenger":
            raise ValueError(
                f"the challenger says that it was trained on ratings until {until} (Unix seconds), but {problem}: it "
                "was trained on other ratings than these, or on later ones"
            )
    elif name == "challenger" and checksum_of(seen) != model.trained_on.checksum:
        raise ValueError(
            f"the challenger was trained on other ratings until {until} (Unix seconds) than those given: the checksums "
            "differ. Give the ratings that it was trained on, or only cuts after them"
        )
    choice = model.parameter_choice or {}
    is_chosen_later = choice.get("replaces_defaults", False) and choice["until"] >= cut.second
    parameters = choose_parameters(cut.before)[0] if is_chosen_later else model.parameters
    if parameters not in again:
        again[parameters] = train_on_latest(cut.before, parameters)
    return again[parameters], CHOSEN_AGAIN if is_chosen_later else TRAINED_AGAIN


def _unknown_until_then(model: Model, seen: pl.DataFrame) -> str | None:
    """Return what a model knows that the ratings until its last timestamp do not say, or None."""
    import numpy as np

    trained_on = model.trained_on
    if trained_on.ratings > len(seen) or trained_on.users > seen["userId"].n_unique():
        return f"its {trained_on.ratings} ratings of {trained_on.users} users are more than there are until then"
    unknown = np.setdiff1d(model.catalogue.all_movies, seen["movieId"].to_numpy())
    return f"it knows movie {unknown[0]}, which nobody rated until then" if len(unknown) else None


def shuffled(model: Model) -> Model:
    """Return a model with the labels of its movies permuted, as if it had been trained on shuffled movies."""
    import numpy as np

    movies = np.random.default_rng(0).permutation(model.catalogue.movies)
    return replace(model, catalogue=replace(model.catalogue, movies=movies))


def trending(ratings: pl.DataFrame, catalogue: Catalogue) -> Recommender:
    """Return the ranking by decayed likes."""
    import numpy as np

    return _ranked(ratings, catalogue.movies[np.lexsort((catalogue.movies, -decayed_likes(ratings, catalogue.movies)))])


def best_mean(ratings: pl.DataFrame, catalogue: Catalogue) -> Recommender:
    """Return the ranking by mean, then number of ratings; the movies of the catalogue all have a minimum of likes."""
    import polars as pl

    movies = pl.Series(catalogue.movies).implode()
    rated = ratings.filter(pl.col("movieId").is_in(movies))
    ranking = rated.group_by("movieId").agg(mean=pl.col("rating").cast(pl.Float64).mean(), number=pl.len())
    ranking = ranking.sort("mean", "number", "movieId", descending=[True, True, False])
    return _ranked(ratings, ranking["movieId"].to_numpy())


def ease(ratings: pl.DataFrame, catalogue: Catalogue) -> Recommender:
    """Return EASE (λ = 400) on likes."""
    import numpy as np

    movies = catalogue.movies
    histories = histories_of(ratings, movies)
    likes = vectors(histories, histories.are_likes.astype("float32"), len(movies))
    only_these = _catalogue(movies, np.zeros(len(movies), np.float32), movies[:0])
    matrix = liked_together(likes, _EASE_REGULARISATION)
    parameters = ModelParameters(decay=0.0, trend=0.0)
    return Recommender(Model(parameters, only_these, matrix, TrainingData.of(ratings)), is_by_likes=True)


def _ranked(ratings: pl.DataFrame, movies: npt.NDArray[np.int32]) -> Recommender:
    """Return a model that recommends the same movies, best first, to everybody: without a catalogue."""
    import numpy as np

    catalogue = _catalogue(movies[:0], np.zeros(0, np.float32), movies)
    return Recommender(Model(ModelParameters(), catalogue, np.zeros((0, 0), np.float32), TrainingData.of(ratings)))


def _catalogue(movies: Any, trend: Any, others: Any) -> Catalogue:
    import numpy as np

    return Catalogue(movies, trend, others, np.arange(len(others), 0, -1).astype(np.float32))
