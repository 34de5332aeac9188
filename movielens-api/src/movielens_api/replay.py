"""Replay: historical ratings are posted as time passes, in their order and with their original timestamps."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError
from movielens_api.http.ingest import MAX_ROWS
from movielens_api.store.writer import NotWrittenError, OverloadedError
from movielens_api.system.days import format_time, start_of_day
from movielens_api.table.catalogue import Catalogue
from movielens_api.table.ratings_table import ORDER, SCHEMA, RatingsTable
from movielens_api.table.sorted_run import SortedRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from movielens_api.store import Store

DAYS = 30
_SECONDS_BETWEEN_POSTS = 0.05
_SECONDS_BETWEEN_ATTEMPTS = 1.0


def default_first_day(catalogue: Catalogue) -> date:
    """Return the day at which a replay starts by default: ``DAYS`` before the last rating.

    Raises:
        StartupError: The dataset has no ratings.
    """
    days = catalogue.ratings.days()
    if days is None:
        raise StartupError(f"nothing to replay: dataset {catalogue.name} has no ratings")
    return days[1] - timedelta(days=DAYS)


def catalogue_before(catalogue: Catalogue, day: date) -> Catalogue:
    """Return the catalogue as it was at the start of a UTC day. It shares the ratings and does not copy them.

    Raises:
        StartupError: The dataset has no ratings from that day onwards.
    """
    if not catalogue.ratings.window(start=day).height:
        raise StartupError(f"nothing to replay: dataset {catalogue.name} has no ratings on or after {day}")
    earlier = SortedRun.of(catalogue.ratings.window(end=day))
    return Catalogue(f"{catalogue.name} until {day}", RatingsTable.of(earlier), catalogue.movies)


class Replay:
    """A replay, which posts each rating when a clock passes its timestamp. The clock starts at midnight UTC of ``day``.

    After a restart, the replay resumes where it stopped, so nothing is posted twice. It begins with ``start`` and ends
    when the context is left.

    Args:
        ratings: All ratings.
        day: The first day whose ratings are posted.
        speed: How many times faster than real time the clock runs.
        store: The store to post to.
        report: Called with a line at the start, at the end, and about problems.
    """

    def __init__(
        self, ratings: RatingsTable, day: date, speed: float, store: Store, report: Callable[[str], None]
    ) -> None:
        self._rows = ratings.window(start=day).select(list(SCHEMA))
        self._timestamps = self._rows["timestamp"]
        self._day = day
        self._speed = speed
        self._store = store
        self._report = report
        self._stop = Event()
        self._thread = Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        """Start the clock."""
        self._thread.start()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._replay()
        except Exception as error:  # noqa: BLE001 - any error must be reported to the user
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._report(f"the replay has stopped, and no more ratings arrive until a restart: {reason}")

    def _replay(self) -> None:
        place = self._posted_rows()
        at = self._timestamps[place - 1] if place else start_of_day(self._day)
        left = len(self._timestamps) - place
        self._report(
            f"replaying {left:,} ratings from {format_time(at)} (UTC) onwards at {self._speed:g} times real time"
        )
        began = time.monotonic()
        while place < len(self._timestamps):
            now = at + (time.monotonic() - began) * self._speed
            due = min(int(self._timestamps.search_sorted(now, side="right")), place + MAX_ROWS)
            pause = max((self._timestamps[place] - now) / self._speed, _SECONDS_BETWEEN_POSTS)
            if due > place:
                if self._post(place, due):
                    place, pause = due, 0.0
                else:
                    pause = _SECONDS_BETWEEN_ATTEMPTS
            if self._stop.wait(pause):
                return
        self._report(f"replayed all ratings, until {format_time(self._timestamps[-1])} (UTC)")

    def _post(self, first: int, after: int) -> bool:
        try:
            self._store.add(self._rows.slice(first, after - first).rows()).result()
        except (OverloadedError, NotWrittenError) as error:
            self._report(f"the replay is waiting: {error or 'too many posts are waiting'}")
            return False
        return True

    def _posted_rows(self) -> int:
        """Return how many rows were posted already, by this process or an earlier one."""
        if not self._store.latest.version:
            return 0
        there = self._store.latest.ratings.window(start=self._day).select(ORDER)
        missing = self._rows.with_row_index("place").join(there, on=ORDER, how="anti")["place"]
        # Rows are posted in order. Other ratings that clients posted do not matter.
        place = missing.min()
        return int(str(place)) if place is not None else len(self._timestamps)
