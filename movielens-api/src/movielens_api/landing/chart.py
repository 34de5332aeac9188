"""Ratings per year, as an SVG chart and as a table."""

from __future__ import annotations

from datetime import MAXYEAR, date
from html import escape
from typing import TYPE_CHECKING

from movielens_api.system.days import day_of

if TYPE_CHECKING:
    from movielens_api.table.ratings_table import RatingsTable

MAX_YEARS = 60
_WIDTH, _HEIGHT = 720, 330
# Room for labels in the size that a phone needs.
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 14, 32
_GAP = 0.22
_WIDEST = 90.0
_MAX_LABELS = 13
_MAX_TICKS = 5
_PREFIXES = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def ratings_per_year(ratings: RatingsTable) -> dict[int, int]:
    """Return the number of ratings in each year (UTC) with ratings, found by two binary searches per year."""
    counts = {}
    first = 0
    while first < len(ratings):
        year = day_of(ratings.rows(first, first + 1)["timestamp"][0]).year
        after = len(ratings) if year == MAXYEAR else ratings.bounds(None, date(year + 1, 1, 1))[1]
        counts[year] = after - first
        first = after
    return counts


def shown(counts: dict[int, int]) -> dict[int, int]:
    """Return the years to show: those without ratings in between are included, unless there are too many.

    A single rating with a wrong date should not lead to a chart of thousands of empty years.

    Args:
        counts: The ratings per year, in order.
    """
    if not counts:
        return {}
    first, last = min(counts), max(counts)
    if last - first < MAX_YEARS:
        return {year: counts.get(year, 0) for year in range(first, last + 1)}
    return dict(list(counts.items())[-MAX_YEARS:])


def svg(counts: dict[int, int]) -> str:
    """Return an SVG chart with a column per year.

    Args:
        counts: The ratings per year, in order. Not empty.
    """
    ticks = scale(max(counts.values()))
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="chart-title chart-description">',
        '<title id="chart-title">Ratings per year</title>',
        f'<desc id="chart-description">{escape(describe(counts))}</desc>',
        *(_grid_line(tick, ticks[-1]) for tick in ticks),
        *_columns(counts, ticks[-1]),
        "</svg>",
    ]
    return "\n".join(parts)


def table(counts: dict[int, int]) -> str:
    """Return the rows of an HTML table of the same numbers."""
    return "\n".join(f'<tr><th scope="row">{year}</th><td>{count:,}</td></tr>' for year, count in counts.items())


def describe(counts: dict[int, int]) -> str:
    """Return one or two sentences that describe the chart."""
    first, last = min(counts), max(counts)
    if first == last:
        return f"{first}: {counts[first]:,} ratings."
    busiest = max(counts, key=lambda year: counts[year])
    return (
        f"One column per year, from {first} ({counts[first]:,} ratings) to {last} ({counts[last]:,}). "
        f"The year with the most ratings is {busiest}: {counts[busiest]:,}."
    )


def scale(highest: int) -> list[int]:
    """Return the grid lines from 0 up to the highest count or more, in steps of 1, 2 or 5 times a power of ten."""
    steps = (factor * 10**power for power in range(19) for factor in (1, 2, 5))
    step = next(step for step in steps if step * (_MAX_TICKS - 1) >= highest)
    return list(range(0, highest + step, step))


def short(count: int) -> str:
    """Return a short label of a grid line, such as ``20k``."""
    size, unit = next((prefix for prefix in _PREFIXES if count >= prefix[0]), (1, ""))
    return f"{count / size:g}{unit}"


def _grid_line(count: int, highest: int) -> str:
    y = _y(count, highest)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text class="count" x="{_LEFT - 8}" y="{y + 4}">{short(count)}</text>'
    )


def _columns(counts: dict[int, int], highest: int) -> list[str]:
    pitch = (_WIDTH - _LEFT - _RIGHT) / len(counts)
    width = min(pitch * (1 - _GAP), _WIDEST)
    every = -(-len(counts) // _MAX_LABELS)
    columns = []
    for place, (year, count) in enumerate(counts.items()):
        middle = _LEFT + pitch * (place + 0.5)
        y = _y(count, highest)
        bottom = _HEIGHT - _BOTTOM
        columns.append(
            f'<rect x="{middle - width / 2:.2f}" y="{y}" width="{width:.2f}" height="{bottom - y:.2f}">'
            f"<title>{year}: {count:,}</title></rect>"
        )
        if place % every == 0:
            rank = "year" if place // every % 2 == 0 else "year between"
            columns.append(f'<text class="{rank}" x="{middle:.2f}" y="{_HEIGHT - 8}">{year}</text>')
    return columns


def _y(count: int, highest: int) -> float:
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - count / highest), 2)
