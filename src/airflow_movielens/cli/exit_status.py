"""The exit status of a command, and the one line on stderr that explains it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import contextmanager, suppress
from enum import IntEnum
from io import TextIOWrapper
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, MovielensError, RetryableError
from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ExitStatus(IntEnum):
    """Exit statuses; 75 is EX_TEMPFAIL of sysexits.h, 130 the status of a command stopped by Ctrl-C."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TRY_LATER = 75
    STOPPED = 130


class UsageError(Exception):
    """An argument or an environment variable is unusable."""


@contextmanager
def as_usage_errors() -> Iterator[None]:
    """Turn errors that arguments cause into usage errors.

    Raises:
        UsageError: An argument or an environment variable is unusable.
    """
    try:
        yield
    except (FatalError, ValueError) as error:
        raise UsageError(str(error)) from error


def run_command(run: Callable[[], None], name: str, when_stopped: str, *, debug: bool) -> ExitStatus:
    """Run a command; if an error stops it, print one line on stderr.

    Args:
        run: The command.
        name: Its name, with which the line begins.
        when_stopped: The words for Ctrl-C and SIGTERM: what remains, and what to do.
        debug: Whether to print a traceback too.
    """
    try:
        with _sigterm_as_ctrl_c():
            run()
    except KeyboardInterrupt:
        _say(name, f"stopped; {when_stopped}", debug=debug)
        return ExitStatus.STOPPED
    except UsageError as error:
        _say(name, str(error), debug=debug)
        return ExitStatus.USAGE
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of Polars is not an Exception
        _say(name, _words(error), debug=debug)
        return ExitStatus.TRY_LATER if isinstance(error, RetryableError) else ExitStatus.FAILED
    return ExitStatus.DONE


def _words(error: BaseException) -> str:
    if isinstance(error, MemoryError):  # often without a message
        return "there is not enough memory"
    is_ours = isinstance(error, MovielensError | ValueError | OSError)
    return str(error) if is_ours else f"{type(error).__name__}: {error}"


def prepare_streams() -> None:
    """Open closed standard streams on the null device, and escape characters that stdout's encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _say(name: str, words: str, *, debug: bool) -> None:
    with suppress(OSError):
        if debug:
            traceback.print_exc()
        print(f"{name}: {' '.join(printable(words).split())}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        # Python would flush again at exit, and end with another message and status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def let_ctrl_c_end_waits() -> None:
    """Let Ctrl-C end a wait for another thread at once.

    Polars installs a handler under which such a wait continues (``SA_RESTART``).
    """
    import polars as pl  # noqa: F401 - its handler must be installed first

    signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003 - by position only


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
