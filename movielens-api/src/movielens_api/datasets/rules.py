"""What every row of a file must fulfil."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Rule:
    """What every row must fulfil.

    Attributes:
        column: the column to name when a row does not.
        expected: what should be there, in words.
        holds: an expression that is true for a good row; null counts as broken.
    """

    column: str
    expected: str
    holds: pl.Expr

    @property
    def reason(self) -> str:
        """What to say of a row that breaks the rule."""
        return f"expected {self.column} to be {self.expected}"

    @property
    def broken(self) -> pl.Expr:
        """True for a row that breaks the rule, never null."""
        return ~self.holds.fill_null(value=False)
