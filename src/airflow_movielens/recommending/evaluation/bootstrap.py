"""Intervals of the difference of two recommenders, by a paired bootstrap over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

_DRAWS = 10_000
_INTERVAL = (0.025, 0.975)
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
    differences, baselines = _means_of_draws(pairs, seed).T
    mean, baseline_mean = pairs.mean(axis=0)
    low, high = np.quantile(differences, _INTERVAL)
    relative: list[float | None] = [None, None, None]
    if baseline_mean:
        relative[0] = float(mean / baseline_mean)
    if baselines.all():
        relative[1:] = np.quantile(differences / baselines, _INTERVAL).tolist()
    return Comparison(float(mean), float(low), float(high), float(np.mean(differences <= 0)), *relative)


def interval_of_mean(figures: pl.Series) -> tuple[float, float]:
    """Return the 95 % interval of the mean of the figures of users, at least one."""
    import numpy as np

    low, high = np.quantile(_means_of_draws(figures.to_numpy()[:, None], 0), _INTERVAL)
    return float(low), float(high)


def _means_of_draws(figures: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
    """Draw rows with replacement, as many as there are, and return the means of the columns of each draw."""
    import numpy as np

    random = np.random.default_rng(seed)
    size = len(figures)
    draws = (random.integers(size, size=(_DRAWS_AT_ONCE, size)) for _ in range(_DRAWS // _DRAWS_AT_ONCE))
    return np.concatenate([figures[drawn].mean(axis=1) for drawn in draws])
