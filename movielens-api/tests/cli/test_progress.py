"""Long starts report the elapsed time; short ones report nothing."""

from __future__ import annotations

import time
from io import StringIO

from movielens_api.cli.serve import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_short_start_is_silent() -> None:
    stream = StringIO()
    with progress("loading sample", stream):
        pass
    assert stream.getvalue() == ""


def test_a_long_start_is_a_line() -> None:
    stream = StringIO()
    with progress("loading ml-25m", stream):
        wait_for("\n", stream)
    assert stream.getvalue() == "movielens-api: loading ml-25m: 1 s\n"


def test_a_terminal_has_one_line_that_changes() -> None:
    stream = Terminal()
    with progress("loading ml-25m", stream):
        wait_for(": 2 s", stream)
    first, second, *_ = stream.getvalue().split("\r")[1:]
    assert (first, second.rstrip("\n")) == ("movielens-api: loading ml-25m: 1 s", "movielens-api: loading ml-25m: 2 s")
    assert stream.getvalue().count("\n") == 1


def wait_for(text: str, stream: StringIO) -> None:
    for _ in range(1000):
        if text in stream.getvalue():
            return
        time.sleep(0.01)
    raise AssertionError(stream.getvalue())
