"""What to read from the ratings: the window, the size of pages, and how to handle bad rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.settings import checked_page_size
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from airflow_movielens.client.window import Window

OnBadRows = Literal["fail", "quarantine"]


@dataclass(frozen=True)
class ReadOptions:
    """The options of one read, checked once and passed down.

    Attributes:
        window: The days to read.
        page_size: Rows per request, at least 1; 1 becomes 2, because pages by offset overlap by one row.
        on_bad_rows: How to handle rows that break the contract, even if they are read again: ``fail`` raises,
            ``quarantine`` sets them aside.

    Raises:
        FatalError: The page size or ``on_bad_rows`` is not one of the values allowed.
    """

    window: Window
    page_size: int
    on_bad_rows: OnBadRows = "fail"

    def __post_init__(self) -> None:
        # A dataframe, for example, cannot be compared with text.
        if not isinstance(self.on_bad_rows, str) or self.on_bad_rows not in get_args(OnBadRows):
            raise FatalError(f"on_bad_rows is {shown(self.on_bad_rows)}: give 'fail' or 'quarantine'")
        object.__setattr__(self, "page_size", checked_page_size(self.page_size))
