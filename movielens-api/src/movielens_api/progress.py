"""How long something takes already, for whoever waits: nothing for the first second, then a line."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SECONDS_SILENT = 1.0
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Say what is under way: on a terminal on a line that counts the seconds, elsewhere every ten seconds.

    Args:
        what: for example "loading ml-25m".
        stream: by default, standard error.
    """
    done = threading.Event()
    told = threading.Thread(target=_tell, args=(what, stream or sys.stderr, done), daemon=True)
    told.start()
    try:
        yield
    finally:
        done.set()
        told.join()


def _tell(what: str, stream: TextIO, done: threading.Event) -> None:
    started = time.monotonic()
    if done.wait(SECONDS_SILENT):
        return
    begin, end = ("\r", "") if stream.isatty() else ("", "\n")
    while True:
        print(f"{begin}movielens-api: {what}: {time.monotonic() - started:.0f} s", end=end, file=stream, flush=True)
        if done.wait(SECONDS_SILENT if stream.isatty() else SECONDS_BETWEEN_LINES):
            break
    if begin:
        print(file=stream, flush=True)
