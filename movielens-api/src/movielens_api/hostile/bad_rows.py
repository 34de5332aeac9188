"""Profiles whose rows break the contract, in every format.

The same rows have wrong values however they are asked for: those of movies whose number ends in 0.
"""

from typing import Any

from movielens_api.hostile import rows
from movielens_api.hostile.layer import Answer, Layer
from movielens_api.hostile.rows import Rows

OFF_STEP = 3.7
BAD = 10


class BadRows(Layer):
    """A layer that changes rows."""

    def change(self, answer: Answer) -> None:
        """Replace the rows."""
        rows.replace(answer, self.spoil(rows.read(answer)))

    def spoil(self, found: Rows) -> Rows:
        """Return other rows."""
        return [row | self.spoilt(row) if row["movieId"] % BAD == 0 else row for row in found]

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return what is wrong in a bad row."""
        return {}


class DuplicateRows(BadRows):
    """The third row of an answer is the second again."""

    def spoil(self, found: Rows) -> Rows:
        """Double one at the cost of another: the number of rows is right."""
        return [*found[:2], *found[1:2], *found[3:]] if len(found) > 2 else found  # noqa: PLR2004 - the third


class RowsOutOfOrder(BadRows):
    """The second and the third row of an answer have changed places."""

    def spoil(self, found: Rows) -> Rows:
        """Swap them."""
        return [*found[:1], *found[1:3][::-1], *found[3:]]


class NanRatings(BadRows):
    """Ratings of movies whose number ends in 0 are NaN, in JSON too."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the rating."""
        return {"rating": float("nan")}


class OffStepRatings(BadRows):
    """Ratings of movies whose number ends in 0 are 3.7, between the half stars."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the rating."""
        return {"rating": OFF_STEP}


class TextNumbers(BadRows):
    """In rows of movies whose number ends in 0, numbers are text; in Arrow and Parquet, then, in whole columns."""

    def spoilt(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return all columns."""
        return {name: str(value) for name, value in row.items()}


class NullValues(BadRows):
    """In rows of movies whose number ends in 0, the user is null."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the user."""
        return {"userId": None}
