"""Work beside the main thread, which stays free to read the network and to be asked to stop."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Background:
    """Runs one call at a time in a thread of its own, which does not keep the process from ending."""

    def __init__(self) -> None:
        self._under_way: Future[None] | None = None

    def start(self, call: Callable[[], None]) -> None:
        """Begin ``call``, once the one before is done; an error of that one is raised here."""
        self.wait()
        self._under_way = Future()
        Thread(target=_run, args=(call, self._under_way), daemon=True).start()

    def wait(self) -> None:
        """Wait for the call under way, if there is one, and raise its error."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()


def _run(call: Callable[[], None], done: Future[None]) -> None:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - handed to who waits
        done.set_exception(error)
    else:
        done.set_result(None)
