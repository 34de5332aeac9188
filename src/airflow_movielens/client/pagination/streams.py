"""The rest of a snapshot in one streamed answer, which goes on at the row where it broke off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.errors import RetryableError
from airflow_movielens.client.pagination.checks import check_behind, check_complete
from airflow_movielens.client.pagination.read_ahead import read_ahead
from airflow_movielens.client.rows import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Bookmark, Rows


class SectionStream:
    """The rest of a window as one section of its snapshot, in a format that can be read while it arrives.

    Args:
        source: Where the stream comes from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: Iterator[Rows] | None = None

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read on behind ``at``, whose ``total`` is known.

        Raises:
            RatingsChangedError: The snapshot is gone, or the server's answer is not the rest of it.
        """
        return read_ahead(at, self._fetch, self._check)

    def _check(self, rows: Rows, at: Bookmark) -> Batch:
        check_behind(rows, at.last_good, self._source.table, None)
        behind = at.behind(rows)
        total = at.total or 0
        check_complete(max(behind.count, total), total, self._source.table, None)
        return Batch(rows, behind, is_last=behind.count == total)

    def _fetch(self, at: Bookmark) -> Rows:
        """The next piece; an answer that broke off is asked for again, from the row behind ``at``."""

        def piece(*, quarantine: bool = False) -> Rows:
            is_new = self._open is None or quarantine
            if self._open is None or quarantine:
                self._open = self._source.stream(at, quarantine=quarantine)
            try:
                rows = next(self._open)
                if at.count + rows.count == at.total and (more := next(self._open, None)) is not None:
                    check_complete(at.total + more.count, at.total, self._source.table, None)
                return rows
            except StopIteration:
                self._open = None
                if is_new:  # not cut off: the server has no more
                    check_complete(at.count, at.total, self._source.table, None)
                raise RetryableError(f"the API's stream ended at row {at.count} of {at.total}") from None
            except Exception:
                self._open = None
                raise

        def second_look() -> Rows:
            rows = piece(quarantine=True)
            # Rows further on have not been looked at before.
            self._open = None
            return rows

        return self._source.retrying(piece, second_look)
