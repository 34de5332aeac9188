"""How a command ends: its exit status, and one line that says why."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ExitStatus(IntEnum):
    """Exit statuses; 75 is sysexits' EX_TEMPFAIL, 130 what shells give to a command that Ctrl-C stopped."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TRY_LATER = 75
    STOPPED = 130


class UsageError(Exception):
    """What was typed, or the environment, cannot be used."""


@contextmanager
def as_usage_errors() -> Iterator[None]:
    """Tell errors in what was typed from those that come later.

    Raises:
        UsageError: There is one.
    """
    try:
        yield
    except (FatalError, ValueError) as error:
        raise UsageError(str(error)) from error


def run_command(run: Callable[[], None], name: str, when_stopped: str, *, debug: bool) -> ExitStatus:
    """Run a command; say in one line on stderr what stopped it, if anything did.

    Args:
        run: The command.
        name: What it is called, to begin the line with.
        when_stopped: What Ctrl-C or SIGTERM leaves behind, in words.
        debug: Whether to show a traceback too.
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
    except BaseException as error:  # noqa: BLE001 - whatever it is (a panic of Polars is no Exception), one line says it
        _say(name, _words(error), debug=debug)
        return ExitStatus.TRY_LATER if isinstance(error, RetryableError) else ExitStatus.FAILED
    return ExitStatus.DONE


def prepare_streams() -> None:
    """Open the streams that the caller closed on the null device; escape what the encoding of stdout does not have."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _say(name: str, words: str, *, debug: bool) -> None:
    with suppress(OSError):
        if debug:
            traceback.print_exc()
        print(f"{name}: {' '.join(words.split())}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        # It would be tried again at exit, which would end in another message and status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _words(error: BaseException) -> str:
    is_ours = isinstance(error, MovielensError | ValueError | OSError)
    return str(error) if is_ours else f"{type(error).__name__}: {error}"


def let_ctrl_c_end_waits() -> None:
    """Let Ctrl-C end a wait for another thread at once.

    Polars puts a handler before Python's, under which such a wait just goes on (``SA_RESTART``).
    """
    import polars as pl  # noqa: F401 - its handler must be there to be changed

    signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003 - by position only


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
