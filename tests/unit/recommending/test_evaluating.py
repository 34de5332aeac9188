"""The evaluation of a model at several cuts: its figures once more slowly, leaks, and the file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl
import pytest
from unit import brute_force_figures as by_hand
from unit import brute_force_model as slow
from unit.tastes import CUTS, DAY, MOVIES, tastes

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import Evaluation, compare, evaluate
from airflow_movielens.recommending.evaluation.protocols import Cut, default_cuts, existing_users, new_users
from airflow_movielens.recommending.evaluation.recommenders import (
    AS_IT_IS,
    TRAINED_AGAIN,
    Recommender,
    best_mean,
    ease,
    trending,
)

PARAMETERS = ModelParameters(lambda_1=5.0, lambda_2=5.0)
RATINGS = tastes()
CHALLENGER = train(RATINGS, PARAMETERS)


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(RATINGS, CHALLENGER, cuts=CUTS, known_likes=(1, 3))


@cache
def model_before(cut):
    return train(before(cut), PARAMETERS)


def before(cut, ratings=RATINGS):
    return ratings.filter(pl.col("timestamp") < cut)


def time_of(second):
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows_of(user, ratings=RATINGS):
    return ratings.filter(pl.col("userId") == user).sort("timestamp", "movieId").select("movieId", "rating").rows()


@cache
def lists_by_hand(cut, known_likes):
    """Return {user: (recommended, relevant)} of the new users at a cut, with one recommendation at a time."""
    model = model_before(cut)
    catalogue = set(slow.catalogue(before(cut), 5))
    seen = set(before(cut)["userId"])
    found = {}
    for user in sorted(set(RATINGS["userId"]) - seen):
        if split := by_hand.new_user(rows_of(user), known_likes, catalogue):
            known, relevant = split
            history = RATINGS.filter(pl.col("userId") == user, pl.col("movieId").is_in([movie for movie, _ in known]))
            found[user] = model.recommend(history)["movieId"].to_list(), relevant
    return found


def entry(evaluation, cut, known_likes):
    (found,) = [
        each for each in evaluation.new_users if (each["cut"], each["known_likes"]) == (time_of(cut), known_likes)
    ]
    return found


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.slow
@pytest.mark.parametrize("known_likes", [1, 3])
def test_the_figures_for_new_users_are_those_of_a_slow_computation(cut, known_likes, evaluation):
    model = model_before(cut)
    found = entry(evaluation, cut, known_likes)
    expected = lists_by_hand(cut, known_likes)
    lists = [recommended for recommended, _ in expected.values()]
    figures = found["figures"]["challenger"]
    assert found["users"] == len(expected) > 20
    assert figures["ndcg"] == pytest.approx(np.mean([by_hand.ndcg(*each) for each in expected.values()]))
    assert figures["recall"] == pytest.approx(np.mean([by_hand.recall(*each) for each in expected.values()]))
    different = {movie for movies in lists for movie in movies}
    assert figures["coverage"] == len(different)
    assert figures["coverage_share"] == pytest.approx(len(different) / len(model.catalogue.movies))
    assert figures["novelty"] == pytest.approx(by_hand.novelty(lists, before(cut)))
    assert figures["long_tail"] == pytest.approx(by_hand.long_tail(lists, before(cut)))
    assert figures["cold_answered"] == 1


@pytest.mark.slow
def test_the_baselines_recommend_what_their_names_say(evaluation):
    cut = Cut.of(RATINGS, CUTS[0])
    protocol = new_users(cut, pl.Series(MOVIES[:50], dtype=pl.Int32), 3)
    catalogue = train(cut.before, PARAMETERS).catalogue
    matrix = ease(cut.before, catalogue).model.matrix
    recommended = ease(cut.before, catalogue).recommend(protocol.known, protocol.users)
    for user in protocol.users.to_list()[:5]:
        known = protocol.known.filter(pl.col("userId") == user)
        likes = np.isin(catalogue.movies, known.filter(pl.col("rating") >= 4)["movieId"].to_numpy())
        scores = likes.astype(float) @ matrix
        scores[np.isin(catalogue.movies, known["movieId"].to_numpy())] = -np.inf
        best = catalogue.movies[np.argsort(-scores)[:10]].tolist()
        assert recommended.filter(pl.col("userId") == user)["movieId"].to_list() == best
    figures = entry(evaluation, CUTS[0], 1)["figures"]
    # Whoever has no rating gets no list from EASE; the trending movies and the best means are the same for everybody.
    assert [figures[name]["cold_answered"] for name in ("ease", "trending", "mean", "shuffled")] == [0, 1, 1, 1]
    assert figures["trending"]["coverage"] < figures["challenger"]["coverage"]


def test_the_ranking_by_mean_is_a_baseline():
    stars = pl.DataFrame(
        [(user, movie, 5.0 if (user + movie) % 7 < movie else 4.0, 0) for user in range(20) for movie in range(6)],
        schema=slow.SCHEMA, orient="row",
    )  # fmt: skip
    model = train(stars, PARAMETERS)
    means = stars.group_by("movieId").agg(pl.col("rating").mean()).sort("rating", "movieId", descending=[True, False])
    best = best_mean(stars, model.catalogue).recommend(stars.clear(), [1])
    assert best["movieId"].to_list() == means["movieId"].to_list()
    assert trending(stars, model.catalogue).recommend(stars.clear(), [1])["movieId"].to_list() == list(range(6))


@pytest.mark.slow
def test_the_figures_for_existing_users_are_those_of_a_slow_computation(evaluation):
    cut = CUTS[0]
    model = model_before(cut)
    catalogue = set(model.catalogue.movies.tolist())
    found, nobody = evaluation.existing_users
    figures, windows = {}, {}
    for start in range(cut, cut + 13 * 28 * DAY, 28 * DAY):
        inside = RATINGS.filter(pl.col("timestamp") >= start, pl.col("timestamp") < start + 28 * DAY)
        for user in set(before(start)["userId"]) & set(inside["userId"]):
            history = before(start).filter(pl.col("userId") == user)
            liked = inside.filter(pl.col("userId") == user, pl.col("rating") >= 4)["movieId"].to_list()
            if relevant := set(liked) & catalogue - set(history["movieId"]):
                recommended = model.recommend(history)["movieId"].to_list()
                figures.setdefault(user, []).append(by_hand.ndcg(recommended, relevant))
                windows[start] = windows.get(start, 0) + 1
    assert found["windows"] == [{"start": time_of(start), "users": number} for start, number in windows.items()]
    assert len(windows) > 1
    assert found["users"] == len(figures)
    assert (nobody["cut"], nobody["users"], nobody["windows"]) == (time_of(CUTS[1]), 0, [])
    assert nobody["note"] == "no user returned in these windows"
    assert found["figures"]["challenger"]["ndcg"] == pytest.approx(
        np.mean([np.mean(each) for each in figures.values()])
    )


def test_nothing_that_a_user_has_rated_is_recommended_or_relevant():
    cut = Cut.of(RATINGS, CUTS[0])
    movies = pl.Series(MOVIES, dtype=pl.Int32)
    protocols = [new_users(cut, movies, 3), *(protocol for _, protocol in existing_users(cut, movies))]
    assert len(protocols) > 2
    for protocol in protocols:
        for recommender in (Recommender(CHALLENGER), ease(cut.before, CHALLENGER.catalogue)):
            recommended = recommender.recommend(protocol.known, protocol.users)
            assert recommended.join(protocol.known, on=["userId", "movieId"]).is_empty()
        assert protocol.relevant.join(protocol.known, on=["userId", "movieId"]).is_empty()
        assert set(recommended["userId"]) == set(protocol.users) == set(protocol.known["userId"])


@pytest.mark.slow
def test_a_model_that_knows_the_future_is_trained_again_without_it(evaluation):
    """The challenger was trained on all ratings: as it is, it would know what the new users like."""
    again = evaluation.models["challenger"]["judged"]
    assert again == [{"cut": time_of(cut), "model": TRAINED_AGAIN} for cut in CUTS]
    honest = evaluate(RATINGS, train(before(CUTS[0]), PARAMETERS), cuts=CUTS[:1], known_likes=(1, 3))
    assert honest.models["challenger"]["judged"] == [{"cut": time_of(CUTS[0]), "model": AS_IT_IS}]
    assert honest.new_users == evaluation.new_users[:2]
    assert honest.existing_users == evaluation.existing_users[:1]


@pytest.mark.slow
def test_ratings_after_the_cut_change_only_what_is_relevant(evaluation):
    """Later ratings of earlier users would change catalogue, trend and matrix if they leaked."""
    leak = pl.DataFrame(
        [(user, movie, 5.0, CUTS[1] + 200 * DAY + user) for user in range(90) for movie in (*MOVIES[:5], 900)],
        schema=slow.SCHEMA, orient="row",
    )  # fmt: skip
    ratings = pl.concat([RATINGS, leak])
    found = evaluate(ratings, train(ratings, PARAMETERS), cuts=CUTS, known_likes=(1, 3))
    assert found.new_users == evaluation.new_users
    assert found.gate_users == evaluation.gate_users


@pytest.mark.slow
def test_a_planted_leak_is_refused():
    """A model trained on all ratings whose header says that it was trained before the cut."""
    liar = replace(CHALLENGER, trained_on=replace(CHALLENGER.trained_on, last_timestamp=CUTS[0] - 1))
    with pytest.raises(
        ValueError, match=r"the challenger says that it was trained on ratings until .* ratings of 170 "
    ):
        evaluate(RATINGS, liar, cuts=CUTS)
    better_liar = replace(liar, trained_on=replace(train(before(CUTS[0]), PARAMETERS).trained_on))
    assert set(better_liar.catalogue.movies) - set(before(CUTS[0])["movieId"])
    with pytest.raises(ValueError, match=r"but it knows movie \d+, which nobody rated until then: it was trained on"):
        evaluate(RATINGS, better_liar, cuts=CUTS)


@pytest.mark.slow
def test_a_challenger_trained_on_other_ratings_is_refused():
    extra = pl.DataFrame([(150, 10, 5.0, CUTS[1] + 5)], schema=slow.SCHEMA, orient="row")
    other = train(pl.concat([RATINGS, extra]), PARAMETERS)
    with pytest.raises(ValueError, match=r"trained on other ratings until .* than those given: the checksums differ"):
        evaluate(RATINGS, other, cuts=CUTS)
    as_champion = evaluate(RATINGS, CHALLENGER, other, cuts=CUTS, known_likes=(1,))
    assert {each["model"] for each in as_champion.models["champion"]["judged"]} == {TRAINED_AGAIN}


@pytest.mark.slow
def test_later_ratings_may_be_added_to_those_of_the_training(evaluation):
    early = train(before(CUTS[1] + DAY), PARAMETERS)
    found = evaluate(RATINGS, early, cuts=CUTS, known_likes=(1, 3))
    assert found.new_users == evaluation.new_users
    assert {each["model"] for each in found.models["challenger"]["judged"]} == {TRAINED_AGAIN}


@pytest.mark.slow
def test_a_champion_with_the_same_parameters_ties_exactly(evaluation):
    champion = train(before(CUTS[1] + DAY), PARAMETERS)
    found = evaluate(RATINGS, CHALLENGER, champion, cuts=CUTS, known_likes=(1, 3))
    assert found.gate_users["champion"] == found.gate_users["challenger"] == evaluation.gate_users["challenger"]
    tie = entry(found, CUTS[0], 1)["differences"]["champion"]
    assert (tie["mean"], tie["low"], tie["high"], tie["relative"]) == (0, 0, 0, 0)


@pytest.mark.slow
def test_a_model_trained_on_shuffled_values_is_judged_as_it_is():
    values = before(CUTS[0])["rating"].shuffle(seed=1)
    shuffled = train(before(CUTS[0]).with_columns(rating=values), PARAMETERS)
    found = evaluate(RATINGS, shuffled, train(RATINGS, PARAMETERS), cuts=CUTS, known_likes=(1, 3))
    assert {each["model"] for each in found.models["challenger"]["judged"]} == {AS_IT_IS}
    comparison = compare(pl.Series(found.gate_users["challenger"]), pl.Series(found.gate_users["champion"]))
    assert comparison.high < 0


@pytest.mark.slow
def test_each_user_counts_once_at_the_gate_at_the_last_cut(evaluation):
    gate = evaluation.gate_users
    assert list(gate) == ["userId", "challenger", "shuffled", "trending", "ease", "mean"]
    assert gate["userId"] == sorted(set(gate["userId"]))
    for user, figure in zip(gate["userId"], gate["challenger"], strict=True):
        first = RATINGS.filter(pl.col("userId") == user)["timestamp"].min()
        cut = max(cut for cut in CUTS if cut <= first)
        both = [by_hand.ndcg(*lists_by_hand(cut, likes)[user]) for likes in (1, 3)]
        assert figure == pytest.approx(np.mean(both))
        if user > 110:
            break
    assert compare(pl.Series(gate["challenger"]), pl.Series(gate["shuffled"])).low > 0


@pytest.mark.slow
def test_the_default_cuts_leave_a_fifth_of_the_users_between_them():
    first = RATINGS.group_by("userId").agg(pl.col("timestamp").min())["timestamp"].sort()
    cuts = default_cuts(RATINGS)
    assert len(first) == 170
    assert cuts == [first[-34 * part] for part in (3, 2, 1)]
    assert evaluate(RATINGS, CHALLENGER, known_likes=(1,)).cuts == [time_of(cut) for cut in cuts]


@pytest.mark.slow
def test_an_evaluation_is_saved_and_loaded(tmp_path, evaluation):
    evaluation.save(tmp_path / "report")
    for path in (tmp_path / "report", str(tmp_path / "report" / "evaluation.json")):
        assert Evaluation.load(path) == evaluation
    content = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert content == evaluation.to_json()
    assert content["format"] == "airflow-movielens-evaluation"
    assert content["cuts"] == [time_of(cut) for cut in CUTS]
    assert content["ratings"]["checksum"] == CHALLENGER.trained_on.checksum
    assert content["recommenders"] == ["challenger", "trending", "ease", "mean", "shuffled"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", r"holds no evaluation \("),
        ("[]", "holds no evaluation: give a file that Evaluation.save wrote"),
        ('{"format": "airflow-movielens-evaluation", "format_version": 2}', "has version 2 of the format"),
        ('{"format": "airflow-movielens-evaluation", "format_version": 1}', "is damaged: it lacks made_at, ratings"),
    ],
)
def test_other_files_are_no_evaluations(content, said, tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        Evaluation.load(tmp_path)


@pytest.mark.slow
def test_too_few_users_are_reported():
    few = RATINGS.filter((pl.col("userId") < 90) | (pl.col("userId") % 10 == 1))
    found = evaluate(few, train(few, PARAMETERS), cuts=CUTS[:1], known_likes=(1,))
    assert found.new_users[0]["note"] == f"{found.new_users[0]['users']} users are too few to tell recommenders apart"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cuts": [0]}, "no rating is before the cut 0: give a later one"),
        ({"cuts": []}, "there is nothing to evaluate: give at least one cut"),
        (
            {"cuts": [10_000 * DAY]},
            "no user who is new at the cut 864000000 has enough likes to evaluate 1 known likes",
        ),
        ({"ratings": RATINGS.clear()}, "there are no ratings to evaluate a model on"),
        ({"ratings": RATINGS.filter(pl.col("userId") < 3)}, "the first ratings of 3 users are too few"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        evaluate(**{"ratings": RATINGS, "challenger": CHALLENGER, **arguments})
