"""The measured cases."""

from __future__ import annotations

from dataclasses import dataclass

UNIQUE, EXACT, AGAIN = "unique", "exact", "again"
NAMES = {
    UNIQUE: "one row per user and movie, declared by the caller",
    EXACT: "the same file, distinct users counted exactly",
    AGAIN: "a file in which 1 % of the ratings are re-ratings",
}
SCAN, OURS, OURS_CHECKED = "bare scan", "ours, bayesian", "ours, bayesian, values checked"


@dataclass(frozen=True)
class Case:
    """A ranking by one competitor.

    Attributes:
        workload: One of `NAMES`.
        competitor: Its name in tables.
        module: The module of `competitors`.
        arguments: What it takes after the two files.
        environment: Where its packages are: ``test``, ``engines`` or ``spark``.
    """

    workload: str
    competitor: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: str = "test"

    @property
    def ranks(self) -> bool:
        """Whether it writes a ranking."""
        return self.module != "scan"


def cases() -> list[Case]:
    """Return the cases of a round."""
    found = []
    for users in (UNIQUE, EXACT):
        found += [
            Case(users, SCAN, "scan"),
            Case(users, OURS, "ours", ("bayesian", users, "trusted")),
            Case(users, OURS_CHECKED, "ours", ("bayesian", users, "checked")),
            Case(users, "ours, trending", "ours", ("trending", users, "trusted")),
            Case(users, "Polars", "plain_polars", (users,)),
            Case(users, "DuckDB", "duckdb_sql", (users,), "engines"),
            Case(users, "pandas", "pandas_groupby", (users,), "engines"),
            Case(users, "Spark, local", "spark_local", (users,), "spark"),
            Case(users, "ours on Spark, local, values checked", "ours_on_spark", ("bayesian", users), "spark"),
        ]
    return [*found, Case(AGAIN, SCAN, "scan"), Case(AGAIN, OURS, "ours", ("bayesian", EXACT, "trusted"))]
