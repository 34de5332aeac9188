"""The measured cases."""

from __future__ import annotations

from dataclasses import dataclass

ROW_BY_ROW, COPY_ROWS = "row by row", "COPY, row by row"
EXECUTEMANY, EXECUTEMANY_2 = "executemany (psycopg 3)", "executemany (psycopg2)"
PLAIN_COPY = "COPY of CSV, then the key"
NEW, EMPTY, RERUN, CHANGED = "ours, new table", "ours, empty table with its key", "ours, rerun", "ours, 2 % changed"

ABSENT, BARE, KEYED, FULL = "absent", "bare", "keyed", "full"
"""The table before the work: there is none, it has no key, it has its key, or it has all ratings and its key."""


@dataclass(frozen=True)
class Case:
    """Ratings loaded by one competitor.

    Attributes:
        name: Its name in tables.
        module: The module of `competitors`.
        table: One of the states of the table above.
        share: Which part of the ratings it loads.
        is_changed: Whether it loads the changed ratings.
    """

    name: str
    module: str
    table: str
    share: float = 1
    is_changed: bool = False

    def rows(self, rows: int) -> int:
        """Return how many of so many ratings it loads."""
        return max(int(rows * self.share), 1)


def cases() -> list[Case]:
    """Return the cases of a round."""
    return [
        Case(ROW_BY_ROW, "row_by_row", KEYED, 0.02),
        Case(EXECUTEMANY_2, "executemany_psycopg2", KEYED, 0.02),
        Case(EXECUTEMANY, "executemany", KEYED, 0.1),
        Case(COPY_ROWS, "copy_rows", KEYED),
        Case(PLAIN_COPY, "plain_copy", BARE),
        Case(NEW, "ours", ABSENT),
        Case(EMPTY, "ours", KEYED),
        Case(RERUN, "ours", FULL),
        Case(CHANGED, "ours", FULL, is_changed=True),
    ]
