"""What the score of each ranking method means, and how the columns of a ranking are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name: Its name in the file.
        label: Its heading.
        digits: The number of decimals.
        percent: Whether it is a share, shown in percent.
    """

    name: str
    label: str
    digits: int = 0
    percent: bool = False

    def text(self, row: Mapping[str, Any]) -> str:
        """Return the value of a row as it is shown; a dash if the row has none."""
        value = row.get(self.name)
        if value is None:
            return "\N{EN DASH}"
        return f"{value * 100:.{self.digits}f} %" if self.percent else f"{value:,.{self.digits}f}"


@dataclass(frozen=True)
class Score:
    """The score of a ranking method.

    Attributes:
        meaning: What it is, in one sentence. Parameters of the method are named in braces.
        columns: The columns to show: the score, and those that explain it.
        unknown: Words for parameters that are not given.
    """

    meaning: str
    columns: tuple[Column, ...]
    unknown: Mapping[str, str]

    def sentence(self, parameters: object) -> str:
        """Return the meaning with the parameters of a ranking, of which the manifest may not have all."""
        given = parameters if isinstance(parameters, dict) else {}
        known = {name: f"{value:g}" for name, value in given.items() if isinstance(value, int | float)}
        return self.meaning.format(**{**self.unknown, **known})


_MEAN = Column("avg_rating", "Mean rating", 2)
_LIKES = "A like is a rating of at least 4 stars."

SCORES: Mapping[str, Score] = {
    "mean": Score("The score is the mean rating of the movie, in stars.", (Column("score", "Mean rating", 2),), {}),
    "bayesian": Score(
        "The score is the damped mean, in stars: the mean rating as if the movie had {k} further ratings that equal "
        "the mean of all ratings.",
        (Column("score", "Damped mean", 3), _MEAN),
        {"k": "100"},
    ),
    "wilson": Score(
        f"The score is the share of likes that the movie has at least, with a confidence of {{confidence}}. {_LIKES}",
        (
            Column("score", "Likes at least", 1, percent=True),
            Column("like_share", "Likes", 1, percent=True),
            Column("upper_bound", "Likes at most", 1, percent=True),
        ),
        {"confidence": "0.95"},
    ),
    "imdb": Score(
        "The score is the weighted rating, in stars: the mean rating as if the movie had {m} further ratings that "
        "equal the mean of all ratings.",
        (Column("score", "Weighted rating", 3), _MEAN),
        {"m": "m (the number of ratings that 99 % of movies do not exceed)"},
    ),
    "popular": Score(
        f"The score is the number of likes. {_LIKES}",
        (Column("score", "Likes"), Column("like_share", "Share of likes", 1, percent=True)),
        {},
    ),
    "trending": Score(
        "The score is the number of likes, each weighted by its age: half as much after a half-life of {half_life} "
        f"days. {_LIKES}",
        (Column("score", "Weighted likes", 2), Column("num_likes", "Likes")),
        {"half_life": "7 to 365"},
    ),
}
