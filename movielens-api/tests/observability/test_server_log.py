"""The server log is limited in number, and says what it leaves out."""

from __future__ import annotations

import logging
from io import StringIO

import pytest

from movielens_api.observability.server_log import LimitedHandler


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Written(StringIO):
    def lines(self) -> list[str]:
        """Return the lines since the last call."""
        lines = self.getvalue().splitlines()
        self.seek(0)
        self.truncate()
        return lines


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def log(clock: Clock, written: Written) -> logging.Logger:
    logger = logging.Logger("noise")
    logger.addHandler(LimitedHandler(written, clock))
    return logger


def test_lines_from_one_place_are_limited(log: logging.Logger, clock: Clock, written: Written) -> None:
    def refuse(number: int) -> None:
        log.warning("refused %d", number)

    for number in range(100):
        refuse(number)
    log.warning("something else")
    assert written.lines() == [*(f"refused {number}" for number in range(10)), "something else"]
    clock.now += 1
    refuse(100)
    refuse(101)
    assert written.lines() == ["left out 90 such lines, the last of which was: refused 99", "refused 100"]
    clock.now += 60
    refuse(102)
    assert written.lines() == ["left out 1 such lines, the last of which was: refused 101", "refused 102"]


def test_what_was_left_out_at_the_end_is_reported(log: logging.Logger, clock: Clock, written: Written) -> None:
    for number in range(12):
        log.warning("refused %d", number)
    log.handlers[0].close()
    assert written.lines()[10:] == ["left out 2 such lines, the last of which was: refused 11"]


def test_tracebacks_are_limited_by_where_the_error_is(log: logging.Logger, written: Written) -> None:
    def fail(error: Exception) -> None:
        try:
            raise error
        except Exception:
            log.exception("failed")

    for number in range(50):
        fail(ValueError(number))
    try:
        int("x")
    except ValueError:
        log.exception("failed")
    assert sum(line.startswith("Traceback") for line in written.lines()) == 11
