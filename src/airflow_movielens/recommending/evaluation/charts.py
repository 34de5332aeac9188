"""Rows of charts as HTML and inline SVG, readable without a legend.

Each row has its label above and its value beside the drawing. Positions are percentages, so that a chart fits a phone
as well as a wide page, with letters of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The part of the width, in per cent, that is left free on both sides.
_MARGIN = 1.5


@dataclass(frozen=True)
class Bar:
    """A bar with an interval.

    Attributes:
        label: What it is.
        value: Its length.
        low: The lower bound of the interval.
        high: The upper bound.
        text: The value in words.
        is_main: Whether it is the bar that the chart is about.
    """

    label: str
    value: float
    low: float
    high: float
    text: str
    is_main: bool = False


def bars(rows: Sequence[Bar]) -> str:
    """Return a chart of bars from 0, with their intervals as whiskers."""
    highest = max([row.high for row in rows] + [row.value for row in rows]) or 1.0

    def x(value: float) -> str:
        return f"{(100 - 2 * _MARGIN) * max(value, 0) / highest:.2f}%"

    drawn = (
        _row(
            row,
            f'<rect class="{_kind(row)}" x="0" y="3" width="{x(row.value)}" height="14" rx="2"/>' + _whisker(row, x),
        )
        for row in rows
    )
    return f'<div class="chart">{"".join(drawn)}</div>'


def differences(rows: Sequence[Bar], worse: str, better: str) -> str:
    """Return a chart of differences around 0, as points with their intervals.

    Args:
        rows: The differences; equal scales in all rows.
        worse: What is left of 0.
        better: What is right of it.
    """
    reach = max(abs(bound) for row in rows for bound in (row.low, row.high)) or 1.0

    def x(value: float) -> str:
        return f"{50 + (50 - _MARGIN) * value / reach:.2f}%"

    zero = '<line class="zero" x1="50%" x2="50%" y1="0" y2="26"/>'
    drawn = (
        _row(row, f'{zero}{_whisker(row, x)}<circle class="{_kind(row)}" cx="{x(row.value)}" cy="10" r="5"/>')
        for row in rows
    )
    ends = f'<div class="ends"><span>← {escape(worse)}</span><span>equal</span><span>{escape(better)} →</span></div>'
    return f'<div class="chart">{ends}{"".join(drawn)}</div>'


def _row(row: Bar, drawing: str) -> str:
    described = escape(f"{row.label}: {row.text}")
    return (
        f'<div class="row"><div class="label">{escape(row.label)}</div><div class="text">{escape(row.text)}</div>'
        f'<svg role="img" aria-label="{described}" width="100%" height="20">{drawing}</svg></div>'
    )


def _whisker(row: Bar, x: Callable[[float], str]) -> str:
    low, high = x(row.low), x(row.high)
    ends = "".join(f'<line x1="{end}" x2="{end}" y1="6" y2="14"/>' for end in (low, high))
    return f'<g class="whisker"><line x1="{low}" x2="{high}" y1="10" y2="10"/>{ends}</g>'


def _kind(row: Bar) -> str:
    return "main" if row.is_main else "other"
