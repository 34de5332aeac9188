"""The figures of a model, its predecessor and baselines, at several cuts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens.recommending.catalogue import catalogue_of
from airflow_movielens.recommending.evaluation.bootstrap import compare
from airflow_movielens.recommending.evaluation.figures import TOP, Popularity, figures_of_lists, figures_of_users
from airflow_movielens.recommending.evaluation.protocols import (
    NO_RATINGS,
    WINDOW_DAYS,
    Cut,
    all_ratings,
    default_cuts,
    existing_users,
    new_users,
)
from airflow_movielens.recommending.evaluation.recommenders import (
    Recommender,
    best_mean,
    ease,
    model_at,
    shuffled,
    trending,
)
from airflow_movielens.recommending.evaluation.result import Evaluation
from airflow_movielens.recommending.histories import latest_of
from airflow_movielens.recommending.model import TrainingData
from airflow_movielens.recommending.parameters import ModelParameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from airflow_movielens.recommending.catalogue import Catalogue
    from airflow_movielens.recommending.evaluation.protocols import Protocol
    from airflow_movielens.recommending.model import Model

# With fewer users, an interval is too wide to say anything.
FEW_USERS = 30


def evaluate(
    ratings: Any,
    challenger: Model,
    champion: Model | None = None,
    cuts: Sequence[int] | None = None,
    known_likes: Sequence[int] = (1, 3, 10),
    *,
    versions: Mapping[str, str] | None = None,
) -> Evaluation:
    """Evaluate a model, and compare it with its predecessor and baselines.

    At each cut, a model that was trained only on ratings before the cut is evaluated as it is. Otherwise its parameters
    are trained again on the ratings before the cut. So nothing from after the cut reaches what is evaluated.

    Ratings of PySpark are not collected, except those of the users who are evaluated: Spark adds them up, and the
    figures are the same.

    Args:
        ratings: A dataframe as for `train`: the ratings that the challenger was trained on, and later ones if there
            are any.
        challenger: The model to evaluate.
        champion: The model that it would replace.
        cuts: The cuts in Unix seconds; None for three, when two, three and four fifths of all users had rated.
        known_likes: How many likes of new users are known; for each number, they are evaluated once.
        versions: What the ``challenger`` and the ``champion`` are called in a registry, for the record.

    Raises:
        TypeError: The ratings are no such dataframe.
        ValueError: No user can be evaluated at a cut, the challenger was trained on other ratings, a column is missing,
            or a value is missing or wrong.
    """
    models = {"challenger": challenger} | ({} if champion is None else {"champion": champion})
    with _everything(ratings) as everything:
        chosen = sorted(set(cuts)) if cuts is not None else default_cuts(everything)
        if not chosen or not known_likes:
            raise ValueError("there is nothing to evaluate: give at least one cut and one number of known likes")
        by_cut = {}
        for second in chosen:
            with _cut(everything, second) as cut:
                by_cut[second] = _at_cut(cut, models, sorted(set(known_likes)))
        facts = _facts(everything)
    found = list(by_cut.values())
    return Evaluation(
        made_at=_time(int(datetime.now(UTC).timestamp())),
        ratings={
            "ratings": facts.ratings,
            "users": facts.users,
            "first": _time(facts.first_timestamp),
            "last": _time(facts.last_timestamp),
            "checksum": facts.checksum,
        },
        cuts=[_time(cut) for cut in chosen],
        known_likes=sorted(set(known_likes)),
        recommenders=[*models, "trending", "ease", "mean", "shuffled"],
        models={
            name: _about(model, (versions or {}).get(name), [(cut, one.judged[name]) for cut, one in by_cut.items()])
            for name, model in models.items()
        },
        new_users=[each for one in found for each in one.new_users],
        existing_users=[one.existing_users for one in found],
        gate_users=_gate_users([one.ndcg for one in found], len(set(known_likes))),
    )


@contextmanager
def _everything(ratings: Any) -> Iterator[Any]:
    """Yield all ratings of a dataframe, checked, as one of Polars, or of PySpark if it is one."""
    if hasattr(ratings, "sparkSession"):
        from airflow_movielens.recommending.evaluation.spark import all_on_spark

        with all_on_spark(ratings) as rows:
            yield rows
        return
    everything = all_ratings(ratings)
    if everything.is_empty():
        raise ValueError(NO_RATINGS)
    yield everything


@contextmanager
def _cut(everything: Any, second: int) -> Iterator[Cut]:
    if hasattr(everything, "sparkSession"):
        from airflow_movielens.recommending.evaluation.spark import cut_on_spark

        with cut_on_spark(everything, second) as cut:
            yield cut
        return
    yield Cut.of(everything, second)


def _facts(everything: Any) -> TrainingData:
    if not hasattr(everything, "sparkSession"):
        return TrainingData.of(latest_of(everything))
    from airflow_movielens.recommending.spark import facts_on_spark, latest_on_spark

    return facts_on_spark(latest_on_spark(everything))


@dataclass(eq=False)
class _AtCut:
    """What is found at one cut.

    Attributes:
        judged: How each model was judged.
        new_users: The figures for new users, for each number of known likes.
        existing_users: The figures for existing users.
        ndcg: known_likes, userId and the NDCG@10 of each recommender.
    """

    judged: dict[str, str]
    new_users: list[dict[str, Any]] = field(default_factory=list)
    existing_users: dict[str, Any] = field(default_factory=dict)
    ndcg: list[pl.DataFrame] = field(default_factory=list)


def _at_cut(cut: Cut, models: Mapping[str, Model], known_likes: Sequence[int]) -> _AtCut:
    import polars as pl

    catalogue = catalogue_of(cut.before, ModelParameters())
    movies = pl.Series(catalogue.movies)
    users_at_cut = _with_evaluated_users(cut, movies, known_likes)
    new = {likes: new_users(users_at_cut, movies, likes) for likes in known_likes}
    if lacking := [likes for likes, protocol in new.items() if protocol.known.is_empty()]:
        raise ValueError(
            f"no user who is new at the cut {cut.second} has enough likes to evaluate {lacking[0]} known likes: give "
            "an earlier cut, or more ratings"
        )
    windows = dict(existing_users(users_at_cut, movies))
    found = _AtCut({})
    lists: dict[str, _Lists] = {}
    for name, recommender in _recommenders(cut, catalogue, models, found.judged):
        lists[name] = _Lists.of(recommender, new, windows)
    popularity = Popularity.of(cut.before, len(movies))
    for likes, protocol in new.items():
        recommended = {name: each.new[likes] for name, each in lists.items()}
        users = {name: figures_of_users(each, protocol.relevant) for name, each in recommended.items()}
        cold = {name: each.cold_answered for name, each in lists.items()}
        summary = _summary(users, recommended, popularity, cold)
        found.new_users.append({"cut": _time(cut.second), "known_likes": likes, **summary})
        ndcg = {name: each["ndcg"] for name, each in users.items()}
        number = pl.repeat(likes, len(protocol.users), dtype=pl.Int32, eager=True)
        found.ndcg.append(pl.DataFrame({"known_likes": number, "userId": protocol.users, **ndcg}))
    found.existing_users = {"cut": _time(cut.second), **_of_windows(windows, lists, popularity)}
    return found


def _with_evaluated_users(cut: Cut, movies: pl.Series, known_likes: Sequence[int]) -> Cut:
    """Return a cut of ratings of Polars, which has those of all users who are evaluated."""
    if not hasattr(cut.ratings, "sparkSession"):
        return cut
    from airflow_movielens.recommending.evaluation.spark import with_evaluated_users

    return with_evaluated_users(cut, movies, known_likes)


@dataclass(frozen=True, eq=False)
class _Lists:
    """What one recommender recommends at a cut.

    Attributes:
        new: The recommendations to new users, by the number of their known likes.
        windows: The recommendations to existing users, by the start of the window.
        cold_answered: The share of new users who get ten movies before their first rating.
    """

    new: dict[int, pl.DataFrame]
    windows: dict[int, pl.DataFrame]
    cold_answered: float

    @classmethod
    def of(cls, recommender: Recommender, new: Mapping[int, Protocol], windows: Mapping[int, Protocol]) -> _Lists:
        import polars as pl

        def recommended(protocol: Protocol) -> pl.DataFrame:
            return recommender.recommend(protocol.known, protocol.users)

        one = next(iter(new.values()))
        # Without a score above 0, the movies are in no order of their own.
        cold = recommender.recommend(one.known.clear(), one.users).filter(pl.col("score") > 0)
        lengths = cold.group_by("userId").agg(number=pl.len())
        answered = lengths.filter(pl.col("number") == TOP)
        return cls(
            {likes: recommended(protocol) for likes, protocol in new.items()},
            {start: recommended(protocol) for start, protocol in windows.items()},
            len(answered) / len(one.users),
        )


def _recommenders(
    cut: Cut, catalogue: Catalogue, models: Mapping[str, Model], judged: dict[str, str]
) -> Iterator[tuple[str, Recommender]]:
    """Yield what is compared, one after the other, so that few matrices are in memory.

    How each model was judged is added to ``judged``.
    """
    again: dict[ModelParameters, Model] = {}
    for name, model in models.items():
        judged_model, judged[name] = model_at(model, name, cut, again)
        yield name, Recommender(judged_model)
        if name == "challenger":
            yield "shuffled", Recommender(shuffled(judged_model))
        del judged_model
    again.clear()
    yield "trending", trending(cut.before, catalogue)
    yield "ease", ease(cut.before, catalogue)
    yield "mean", best_mean(cut.before, catalogue)


def _of_windows(windows: Mapping[int, Protocol], lists: Mapping[str, _Lists], popularity: Popularity) -> dict[str, Any]:
    """Return the figures of existing users; of a user of several windows, the mean counts."""
    import polars as pl

    about: dict[str, Any] = {
        "window_days": WINDOW_DAYS,
        "windows": [{"start": _time(start), "users": len(protocol.users)} for start, protocol in windows.items()],
    }
    if not windows:
        return {**about, "users": 0, "figures": {}, "differences": {}, "note": "no user returned in these windows"}
    users = {
        name: pl.concat(figures_of_users(each.windows[start], protocol.relevant) for start, protocol in windows.items())
        .group_by("userId").mean().sort("userId")
        for name, each in lists.items()
    }  # fmt: skip
    recommended = {name: pl.concat(each.windows.values()) for name, each in lists.items()}
    return {**about, **_summary(users, recommended, popularity, {})}


def _summary(
    users: Mapping[str, pl.DataFrame],
    recommended: Mapping[str, pl.DataFrame],
    popularity: Popularity,
    cold_answered: Mapping[str, float],
) -> dict[str, Any]:
    """Return the number of users, the figures of all recommenders, and the challenger's differences from the others."""
    number = len(users["challenger"])
    figures = {
        name: {
            "ndcg": of_users["ndcg"].mean(),
            "recall": of_users["recall"].mean(),
            **figures_of_lists(recommended[name], popularity),
            **({"cold_answered": cold_answered[name]} if cold_answered else {}),
        }
        for name, of_users in users.items()
    }
    differences = {
        name: asdict(compare(users["challenger"]["ndcg"], of_users["ndcg"]))
        for name, of_users in users.items()
        if name != "challenger"
    }
    note = f"{number} users are too few to tell recommenders apart" if number < FEW_USERS else None
    return {"users": number, "figures": figures, "differences": differences, "note": note}


def _about(model: Model, version: str | None, judged: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Return what is recorded of a model, and how it was judged at each cut."""
    return {
        "version": version,
        "parameters": asdict(model.parameters),
        "parameter_choice": model.parameter_choice,
        "trained_on": asdict(model.trained_on),
        "judged": [{"cut": _time(cut), "model": how} for cut, how in judged],
    }


def _gate_users(found: Sequence[Sequence[pl.DataFrame]], known_likes: int) -> dict[str, list[Any]]:
    """Return each user's NDCG@10, averaged over the known likes, at the last cut before the user's first rating."""
    import polars as pl

    means = [
        pl.concat(frames).group_by("userId").agg(pl.exclude("known_likes").mean(), number=pl.len())
        .filter(pl.col("number") == known_likes).drop("number")
        for frames in found
    ]  # fmt: skip
    users = pl.concat(means).unique("userId", keep="last", maintain_order=True).sort("userId")
    return users.to_dict(as_series=False)


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
