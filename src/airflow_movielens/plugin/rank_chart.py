"""The ranks of a movie over time as a line chart: where the lines, points and labels of the SVG are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 32
_STEPS = (1, 2, 5)
_MAX_RANKS, _MAX_DAYS = 6, 4


@dataclass(frozen=True)
class Point:
    """A rank.

    Attributes:
        x: Its place, from the left.
        y: Its place, from the top.
        day: The last day that the ranking covers.
        rank: The rank.
    """

    x: float
    y: float
    day: date
    rank: int


@dataclass(frozen=True)
class Label:
    """A label of an axis.

    Attributes:
        place: Its place: from the left for days, from the top for ranks.
        text: The label.
    """

    place: float
    text: str


@dataclass(frozen=True)
class RankChart:
    """A line chart, with the first rank at the top.

    Attributes:
        lines: The points of each line; a line ends where the movie is in no ranking.
        ranks: The labels of the ranks.
        days: The labels of the days.
    """

    lines: list[list[Point]]
    ranks: list[Label]
    days: list[Label]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM

    @staticmethod
    def path(line: Sequence[Point]) -> str:
        """Return the points of a line for the attribute ``points`` of a polyline."""
        return " ".join(f"{point.x},{point.y}" for point in line)


def rank_chart(ranks: Sequence[tuple[date, int | None]]) -> RankChart | None:
    """Return the chart of ranks, by day ascending; None for a day whose ranking does not have the movie.

    Returns:
        The chart; None if no ranking has the movie.
    """
    known = [rank for _, rank in ranks if rank is not None]
    if not known:
        return None
    first, last = ranks[0][0], ranks[-1][0]
    days = max((last - first).days, 1)
    lowest = max(*known, 2)

    def x(day: date) -> float:
        return round(_LEFT + (day - first).days / days * (WIDTH - _LEFT - _RIGHT), 1)

    def y(rank: int) -> float:
        return round(_TOP + (rank - 1) / (lowest - 1) * (HEIGHT - _TOP - _BOTTOM), 1)

    lines: list[list[Point]] = [[]]
    for day, rank in ranks:
        if rank is None:
            lines.append([])
        else:
            lines[-1].append(Point(x(day), y(rank), day, rank))
    return RankChart(
        lines=[line for line in lines if line],
        ranks=[Label(y(rank), f"{rank:,}") for rank in _labelled_ranks(lowest)],
        days=[Label(x(day), str(day)) for day in _labelled_days(first, last)],
    )


def _labelled_days(first: date, last: date) -> list[date]:
    """Return the first and the last day, and further ones at equal distances."""
    steps = min((last - first).days, _MAX_DAYS - 1)
    return [first + (last - first) * step / steps for step in range(steps + 1)] if steps else [first]


def _labelled_ranks(lowest: int) -> list[int]:
    """Return the first rank, and multiples of a round number up to the lowest one."""
    steps = (digit * 10**power for power in range(len(str(lowest)) + 1) for digit in _STEPS)
    step = next(step for step in steps if lowest / step < _MAX_RANKS)
    return [1, *(rank for rank in range(step, lowest + 1, step) if rank > 1)]
