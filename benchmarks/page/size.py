"""How large the generated data root is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

LAST_DAY = date(2015, 12, 31)


@dataclass(frozen=True)
class Size:
    """The size of a data root.

    Attributes:
        days: How many days there are.
        movies: How many movies are ranked.
        model: How many movies the catalogue of the champion has.
        users: How many users have recommendations.
        ranked: For how many of the last days there are files of rankings; of the others, there are only records.
    """

    days: int = 1096
    movies: int = 20_000
    model: int = 20_000
    users: int = 100_000
    ranked: int = 90

    @property
    def name(self) -> str:
        """The name of a folder for a data root of this size."""
        return f"{self.days}-{self.movies}-{self.model}-{self.users}-{self.ranked}"

    @property
    def all_days(self) -> list[date]:
        """The days, the last one last."""
        return [LAST_DAY - timedelta(days=number) for number in reversed(range(self.days))]
