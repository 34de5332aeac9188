"""The gate: whether a model may be promoted, by the figures of an evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

Outcome = Literal["accepted", "refused", "undecided"]

ALLOWED_LOSS = 0.03
"""A model may be worse than the champion by this share of the champion's NDCG."""
HIGHEST_P = 0.01
"""The p of a model that is better than the trending movies is below this."""
FEWEST_USERS = 30
"""Of fewer users, a bootstrap says too little."""

_WEIGHTIEST_FIRST: tuple[Outcome, ...] = ("refused", "undecided", "accepted")
_DRAWS = 10_000
# Numbers that are in memory at once.
_AT_ONCE = 2**22
_DIGITS = 5
_LOWEST_MEAN = 1e-12
# The sums of its gains are rounded.
_HIGHEST_NDCG = 1 + 1e-9


@dataclass(frozen=True)
class Decision:
    """What the gate says of a model.

    Attributes:
        outcome: ``accepted``, ``refused``, or ``undecided`` if there are too few users to tell.
        reason: Why, in one or two sentences.
        figures: The figures that it was decided by: ``users``, the mean ``ndcg`` of each recommender, and for
            ``trending``, ``champion`` and ``shuffled`` the `Difference`.
    """

    outcome: Outcome
    reason: str
    figures: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """The difference of two means over the same users, by a paired bootstrap.

    Attributes:
        relative: The difference, as a share of the second mean.
        low: Its lower 95 % bound, one-sided.
        high: Its upper 95 % bound, one-sided.
        p: The share of draws in which the difference is not positive.
    """

    relative: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        relative, low, high = (f"{100 * share:+.1f} %" for share in (self.relative, self.low, self.high))
        return f"{relative}, 95 % bounds {low} and {high}"


def judge(gate_users: Mapping[str, Sequence[float]]) -> Decision:
    """Decide whether a model may be promoted, by a paired bootstrap over users.

    First the evaluation itself is tested: the model with its movies shuffled must not be better than the trending
    movies, and the champion must equal itself. Then:

    - The model must be better than the trending movies, with a one-sided p below 0.01.
    - If there is a champion, the lower 95 % bound of the relative difference from it must be above -3 %.

    If one of these fails, the model is refused if the upper 95 % bound shows that it is worse. Otherwise there are too
    few users to tell. Both bounds are one-sided.

    Args:
        gate_users: The NDCG@10 of ``challenger``, ``trending`` and ``shuffled``, and of ``champion`` if there is one:
            a figure for each user. Other columns are ignored.

    Raises:
        ValueError: A column is missing, has another length, or has a figure that is not from 0 to 1.
    """
    columns = _checked(gate_users)
    users = len(columns["challenger"])
    if users < FEWEST_USERS:
        reason = f"There are {users} new users with enough likes, and the gate needs at least {FEWEST_USERS}."
        return Decision("undecided", reason, {"users": users})
    draws = _means_of_draws(columns)

    def difference(name: str, baseline: str) -> Difference:
        return _difference(draws[name], draws[baseline], columns[name].mean(), columns[baseline].mean())

    means = {name: round(float(column.mean()), _DIGITS) for name, column in columns.items()}
    shuffled, trending = difference("shuffled", "trending"), difference("challenger", "trending")
    champion = difference("challenger", "champion") if "champion" in columns else None
    figures = {"users": users, "ndcg": means, "trending": asdict(trending), "shuffled": asdict(shuffled)}
    if champion is not None:
        figures["champion"] = asdict(champion)
    if problem := _problem_of_yardstick(shuffled, None if champion is None else difference("champion", "champion")):
        return Decision("refused", f"The evaluation cannot tell good from bad: {problem}.", figures)
    found = [_better_than_trending(trending, means, users)]
    if champion is not None:
        found.append(_not_worse_than_champion(champion, users))
    outcome = min((one for one, _ in found), key=_WEIGHTIEST_FIRST.index)
    return Decision(outcome, " ".join(reason for one, reason in found if one == outcome), figures)


def _problem_of_yardstick(shuffled: Difference, champion_itself: Difference | None) -> str | None:
    if shuffled.p < HIGHEST_P:
        return "the model with its movies shuffled passes as better than the trending movies"
    if champion_itself not in (None, Difference(0.0, 0.0, 0.0, 1.0)):
        return "the champion differs from itself"
    return None


def _better_than_trending(found: Difference, means: Mapping[str, float], users: int) -> tuple[Outcome, str]:
    compared = f"NDCG@10 {means['challenger']:.3f} against {means['trending']:.3f} ({found}, {_shown_p(found.p)})"
    if found.p < HIGHEST_P:
        return "accepted", f"For {users} new users, it is better than the trending movies: {compared}."
    if found.high <= 0:
        return "refused", f"For {users} new users, it is not better than the trending movies: {compared}."
    return "undecided", f"{users} new users are too few to tell that it is better than the trending movies: {compared}."


def _not_worse_than_champion(found: Difference, users: int) -> tuple[Outcome, str]:
    compared = f"{found}; a loss of {100 * ALLOWED_LOSS:g} % is allowed"
    if found.low > -ALLOWED_LOSS:
        return "accepted", f"It is as good as the champion: {compared}."
    if found.high < 0:
        return "refused", f"For {users} new users, it is worse than the champion: {compared}."
    return (
        "undecided",
        f"{users} new users are too few to tell that it is as good as the champion: {compared}.",
    )


def _shown_p(p: float) -> str:
    return f"p = {p:.4f}" if p else f"p < {1 / _DRAWS:.4f}"


def _checked(gate_users: Mapping[str, Sequence[float]]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the columns as arrays.

    Raises:
        ValueError: A column is missing, has another length, or has a figure that is not from 0 to 1.
    """
    import numpy as np

    names = ["challenger", "trending", "shuffled", *(["champion"] if "champion" in gate_users else [])]
    if missing := [name for name in names if name not in gate_users]:
        raise ValueError(f"the evaluation lacks the figures of {', '.join(missing)}: evaluate again")
    columns = {name: np.asarray(gate_users[name], np.float64) for name in names}
    if len({column.shape for column in columns.values()}) > 1:
        raise ValueError(f"the evaluation has figures of {' and '.join(names)} for different users: evaluate again")
    # NaN is not in this range either.
    if wrong := [name for name, column in columns.items() if not ((column >= 0) & (column <= _HIGHEST_NDCG)).all()]:
        raise ValueError(f"the evaluation has an NDCG of {', '.join(wrong)} that is not from 0 to 1: evaluate again")
    return columns


def _means_of_draws(columns: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, npt.NDArray[np.float64]]:
    """Draw the users again, with replacement, and return the means of each column; the draws are always the same."""
    import numpy as np

    figures = np.column_stack(list(columns.values()))
    random = np.random.default_rng(0)
    size = len(figures)
    at_once = max(1, _AT_ONCE // size)
    sizes = [min(at_once, _DRAWS - start) for start in range(0, _DRAWS, at_once)]
    means = np.concatenate([figures[random.integers(size, size=(number, size))].mean(axis=1) for number in sizes])
    return dict(zip(columns, means.T, strict=True))


def _difference(
    draws: npt.NDArray[np.float64], baseline_draws: npt.NDArray[np.float64], mean: float, baseline_mean: float
) -> Difference:
    import numpy as np

    differences = draws - baseline_draws
    low, high = np.quantile(differences / np.maximum(baseline_draws, _LOWEST_MEAN), [0.05, 0.95])
    relative = (mean - baseline_mean) / max(baseline_mean, _LOWEST_MEAN)
    values = (relative, low, high, np.mean(differences <= 0))
    return Difference(*(round(float(value), _DIGITS) for value in values))
