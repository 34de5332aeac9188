"""Intervals of the difference of two recommenders, by a paired bootstrap over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_DRAWS = 10_000
# Draws that are in memory at once.
_DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class Comparison:
    """The mean difference of two recommenders over the same users, by a paired bootstrap.

    Attributes:
        mean: The mean difference.
        low: The lower bound of its 95 % interval.
        high: The upper bound.
        p: The share of draws without a positive mean: one-sided, how likely such a difference is by chance.
        relative: The mean difference as a share of the baseline's mean; None if that is 0.
        relative_low: The lower bound of its 95 % interval; None if the mean of a draw is 0.
        relative_high: The upper bound.
    """

    mean: float
    low: float
    high: float
    p: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None


def compare(model: pl.Series, baseline: pl.Series, *, seed: int = 0) -> Comparison:
    """Compare the figures of two recommenders for the same users, at least one."""
    import numpy as np

    pairs = np.column_stack([(model - baseline).to_numpy(), baseline.to_numpy()])
    random = np.random.default_rng(seed)
    size = len(pairs)
    draws = (
        pairs[random.integers(size, size=(_DRAWS_AT_ONCE, size))].mean(axis=1) for _ in range(_DRAWS // _DRAWS_AT_ONCE)
    )
    differences, baselines = np.concatenate(list(draws)).T
    mean, baseline_mean = pairs.mean(axis=0)
    low, high = np.quantile(differences, [0.025, 0.975])
    relative: list[float | None] = [None, None, None]
    if baseline_mean:
        relative[0] = float(mean / baseline_mean)
    if baselines.all():
        relative[1:] = np.quantile(differences / baselines, [0.025, 0.975]).tolist()
    return Comparison(float(mean), float(low), float(high), float(np.mean(differences <= 0)), *relative)
