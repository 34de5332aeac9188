"""Work beside the main thread, which stays free to read the network and to be asked to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.pagination.in_flight import begin, result_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Background:
    """Runs one call at a time in a thread of its own, which does not keep the process from ending."""

    def __init__(self) -> None:
        self._under_way: Future[None] | None = None

    def start(self, call: Callable[[], None]) -> None:
        """Begin ``call``, once the one before is done; an error of that one is raised here."""
        self.wait()
        self._under_way = begin(call)

    def wait(self) -> None:
        """Wait for the call under way, if there is one, and raise its error; Ctrl-C ends the wait."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            result_of(under_way)
