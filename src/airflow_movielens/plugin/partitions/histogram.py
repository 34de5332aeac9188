"""The chart of a day's ratings by stars, beside those of the days before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.trailing import STARS

if TYPE_CHECKING:
    from airflow_movielens.plugin.partitions.trailing import Trailing

WIDTH, HEIGHT = 640, 220
"""The size of the chart in its own units."""

_TOP, _BASE = 22, HEIGHT - 26
_GAP = 0.3


@dataclass(frozen=True)
class Bar:
    """The ratings with some stars.

    Attributes:
        stars: The stars.
        share: The share of the day's ratings, from 0 to 1.
        before: That of the days before; None if it is not known.
        count: The number of the day's ratings.
        left: Where the bar begins.
        width: Its width.
        top: Where it ends; it stands on `base`.
        before_top: Where the mark for the days before is; None if there is none.
        base: The line that the bars stand on.
    """

    stars: float
    share: float
    before: float | None
    count: int
    left: float
    width: float
    top: float
    before_top: float | None
    base: int = _BASE

    @property
    def middle(self) -> float:
        """The middle of the bar, for its labels."""
        return round(self.left + self.width / 2, 1)

    @property
    def label_y(self) -> float:
        """Where the label with the share stands: above the bar and the mark."""
        return round(min(self.top, self.top if self.before_top is None else self.before_top) - 6, 1)


def bars(trailing: Trailing) -> list[Bar]:
    """Return the bars of the chart; none if the ratings of the day are not known, or if there are none."""
    if not trailing.counts or not sum(trailing.counts):
        return []
    before = trailing.shares_before if trailing.before else [None] * len(STARS)
    highest = max([*trailing.shares, *trailing.shares_before])
    pitch = WIDTH / len(STARS)
    return [
        Bar(
            stars=stars,
            share=share,
            before=share_before,
            count=count,
            left=round(pitch * (number + _GAP / 2), 1),
            width=round(pitch * (1 - _GAP), 1),
            top=_y(share, highest),
            before_top=None if share_before is None else _y(share_before, highest),
        )
        for number, (stars, share, share_before, count) in enumerate(
            zip(STARS, trailing.shares, before, trailing.counts, strict=True)
        )
    ]


def _y(share: float, highest: float) -> float:
    return round(_TOP + (_BASE - _TOP) * (1 - share / highest), 1)
