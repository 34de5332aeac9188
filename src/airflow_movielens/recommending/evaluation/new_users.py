"""The figures of parameters for users who are new at a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.evaluation.figures import figures_of_users
from airflow_movielens.recommending.evaluation.protocols import Cut, all_ratings, new_users
from airflow_movielens.recommending.evaluation.recommenders import Recommender, ease, trending
from airflow_movielens.recommending.parameters import ModelParameters
from airflow_movielens.recommending.training import train_on_latest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from airflow_movielens.recommending.evaluation.protocols import Protocol


def evaluate_new_users(
    ratings: Any, cut: int, known_likes: Sequence[int] = (1, 3, 10), parameters: ModelParameters | None = None
) -> pl.DataFrame:
    """Evaluate a model and two baselines on new users: NDCG@10, with everything rated left out.

    The baselines are the trending movies, and EASE (λ = 400) on likes.

    Args:
        ratings: A dataframe as for `train`.
        cut: The moment, in Unix seconds: the model is trained on the ratings before it.
        known_likes: For each number H, users are evaluated with their ratings up to and with the H-th like of a movie
            of the catalogue; only users with at least max(15, H + 5) such likes.
        parameters: The parameters of the model; None for the defaults.

    Returns:
        known_likes, userId, and the NDCG@10 of model, ease and trending, sorted by known_likes and userId.

    Raises:
        TypeError: The ratings are no such dataframe.
        ValueError: No rating is before the cut, a column is missing, or a value is missing or wrong.
    """
    import polars as pl

    ratings_at_cut = Cut.of(all_ratings(ratings), cut)
    training = ratings_at_cut.before
    model = train_on_latest(training, parameters or ModelParameters())
    recommenders = {
        "model": Recommender(model),
        "ease": ease(training, model.catalogue),
        "trending": trending(training, model.catalogue),
    }
    movies = pl.Series(model.catalogue.movies)
    protocols = {likes: new_users(ratings_at_cut, movies, likes) for likes in known_likes}
    return pl.concat(_ndcg(recommenders, protocol, likes) for likes, protocol in protocols.items())


def _ndcg(recommenders: Mapping[str, Recommender], protocol: Protocol, known_likes: int) -> pl.DataFrame:
    import polars as pl

    figures = {
        name: figures_of_users(recommender.recommend(protocol.known, protocol.users), protocol.relevant)["ndcg"]
        for name, recommender in recommenders.items()
    }
    likes = pl.repeat(known_likes, len(protocol.users), dtype=pl.Int32, eager=True)
    return pl.DataFrame({"known_likes": likes, "userId": protocol.users, **figures})
