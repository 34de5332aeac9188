"""The parameters of a model, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real

from airflow_movielens.ratings.messages import shown
from airflow_movielens.recommending.memory import usable_memory

_BYTES_PER_CELL = 4


@dataclass(frozen=True)
class ModelParameters:
    """The parameters of a model; the defaults suit a large number of users.

    Attributes:
        lambda_1: λ₁, the regularisation of B₁ in units of the mean square of the weights.
        lambda_2: λ₂, the regularisation of B₂ in the same units.
        later_likes: c, how much B₂ counts beside B₁.
        decay: How fast the weight of a rating fades with each later rating of the user: e^(-decay).
        trend: a, how much the trend counts to users with few likes.
        min_likes: Movies liked by fewer users are recommended by their trend only.
        max_movies: The catalogue has at most so many movies; None for as many as fit into a quarter of the memory.

    Raises:
        ValueError: A value is not one of those allowed.
    """

    lambda_1: float = 800.0
    lambda_2: float = 800.0
    later_likes: float = 0.4
    decay: float = 0.05
    trend: float = 0.6
    min_likes: int = 5
    max_movies: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (field.name == "max_movies" and value is None):
                _check(field.name, value)


def _check(name: str, value: object) -> None:
    if name in ("min_likes", "max_movies"):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {shown(value)}: give a whole number of at least 1")
        return
    lowest_excluded = name in ("lambda_1", "lambda_2")
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not (value > 0 if lowest_excluded else value >= 0):  # type: ignore[operator]
        raise ValueError(f"{name} is {shown(value)}: give a number {'above' if lowest_excluded else 'of at least'} 0")


def movies_that_fit() -> int:
    """Return the number of movies whose item-by-item matrix fits into a quarter of the memory of this process."""
    return math.isqrt(usable_memory() // 4 // _BYTES_PER_CELL)
