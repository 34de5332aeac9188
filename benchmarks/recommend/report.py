"""The report of a run in Markdown, and whether it met the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.recommend.cases import CHOICE, EASE, LARGE, OURS, SAMPLE, Case
from benchmarks.recommend.rounds import Quality, Rounds, Speed
from benchmarks.tables import Target, table, verdicts

SPEED_HEAD = ["recommender", "fit, s", "x ours", "CPU s", "peak MB", "one user, ms", "users/s"]
COST_HEAD = ["recommender", "seconds", "CPU s", "peak MB"]
QUALITY_HEAD = ["recommender", "parameters", "1 like", "3 likes", "10 likes"]
SECONDS, MEGABYTES, MILLISECONDS, USERS_PER_SECOND = 120, 1800, 2, 2000
NDCG = {1: 0.435, 3: 0.425, 10: 0.355}
EASE_NDCG, EASE_TOLERANCE = 0.342, 0.002


def write(rounds: Rounds, notes: Sequence[str]) -> str:
    """Return all tables of a run, with medians over its rounds and the highest peak of memory."""
    parts = [
        "\n".join(f"- {note}" for note in notes),
        f"**{LARGE}**: one fit with given parameters, and ten recommendations to users who are new to it",
        table(SPEED_HEAD, _speed_rows(rounds)),
        f"**{CHOICE}**: the choice of parameters, before a fit without given ones",
        table(COST_HEAD, _choice_rows(rounds)),
        f"**{SAMPLE}**: NDCG@10 of new users; the others with the best of the parameters that they tried, in hindsight",
        table(QUALITY_HEAD, _quality_rows(rounds)),
        verdicts(_judge(rounds)),
    ]
    return "\n\n".join(parts) + "\n"


def _speed_rows(rounds: Rounds) -> Iterator[list[str]]:
    ours = _case(rounds.speeds, OURS)
    for case, each in rounds.speeds.items():
        seconds = _seconds(each)
        yield [
            case.competitor,
            f"{seconds:.1f}",
            f"{seconds / _seconds(rounds.speeds[ours]):.2f}",
            f"{median(speed.fit.cpu for speed in each):.1f}",
            f"{_megabytes(each):.0f}",
            f"{_milliseconds(each):.2f}",
            f"{_users_per_second(each):.0f}",
        ]


def _choice_rows(rounds: Rounds) -> Iterator[list[str]]:
    for case, cost in rounds.choices.items():
        yield [case.competitor, f"{cost.seconds:.1f}", f"{cost.cpu:.1f}", f"{cost.megabytes or 0:.0f}"]


def _quality_rows(rounds: Rounds) -> Iterator[list[str]]:
    for case, tried in rounds.qualities.items():
        best = max(tried, key=lambda quality: sum(quality.ndcg.values()))
        parameters = ", ".join(f"{name}={value:g}" for name, value in best.parameters.items())
        yield [case.competitor, parameters or "defaults", *(f"{figure:.3f}" for figure in best.ndcg.values())]


def _judge(rounds: Rounds) -> Iterator[Target]:
    speeds = rounds.speeds[_case(rounds.speeds, OURS)]
    figures = {
        f"fit: at most {SECONDS} s": (_seconds(speeds), SECONDS, "s"),
        f"fit: at most {MEGABYTES} MB": (_megabytes(speeds), MEGABYTES, "MB"),
        f"one user: at most {MILLISECONDS} ms": (_milliseconds(speeds), MILLISECONDS, "ms"),
    }
    for description, (found, most, unit) in figures.items():
        yield Target(description, f"{found:.4g} {unit}", found <= most)
    rate = _users_per_second(speeds)
    yield Target(f"at least {USERS_PER_SECOND} users/s", f"{rate:.0f} users/s", rate >= USERS_PER_SECOND)
    (quality,) = rounds.qualities[_case(rounds.qualities, OURS)]
    for known, least in NDCG.items():
        found = quality.ndcg[known]
        yield Target(
            f"NDCG@10 with {known} {'like' if known == 1 else 'likes'}: at least {least:g}",
            f"{found:.3f}",
            found >= least,
        )
    yield from _judge_ease(rounds)


def _judge_ease(rounds: Rounds) -> Iterator[Target]:
    """Judge the evaluation: irspack's EASE with λ = 400, the first that it tries, has a known figure."""
    for case, tried in rounds.qualities.items():
        if case.competitor == EASE:
            found = tried[0].ndcg[10]
            is_met = abs(found - EASE_NDCG) <= EASE_TOLERANCE
            yield Target(f"EASE with 10 likes: {EASE_NDCG} ± {EASE_TOLERANCE}", f"{found:.3f}", is_met)


def _case(measured: dict[Case, list[Speed]] | dict[Case, list[Quality]], competitor: str) -> Case:
    return next(case for case in measured if case.competitor == competitor)


def _seconds(speeds: Sequence[Speed]) -> float:
    return median(speed.fit.seconds for speed in speeds)


def _megabytes(speeds: Sequence[Speed]) -> float:
    return max(speed.fit.megabytes or 0 for speed in speeds)


def _milliseconds(speeds: Sequence[Speed]) -> float:
    return median(speed.milliseconds for speed in speeds)


def _users_per_second(speeds: Sequence[Speed]) -> float:
    return median(speed.users_per_second for speed in speeds)
