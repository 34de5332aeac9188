"""Moments within a call, seen by a profiler, which replaces nothing."""

from __future__ import annotations

import inspect
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def when_called(function: Callable[..., Any], act: Callable[[FrameType], object]) -> Iterator[None]:
    """Act whenever a function is called in this thread, or in one that starts in the block, before its body runs.

    Args:
        function: A function or method, written in Python or built in.
        act: Called with the frame of the function, or with that of its caller if it is built in.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if (event == "call" and frame.f_code is code) or (event == "c_call" and argument is function):
            act(frame)

    try:
        threading.setprofile(watch)
        sys.setprofile(watch)
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
