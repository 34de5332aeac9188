"""One stack per folder at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.failure import DemoError


@contextmanager
def only_stack_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel releases it however this process ends."""
    path = folder / "stack.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            message = f"Another stack (process {file.read().strip()}) is already running in {folder}: stop it first."
            raise DemoError(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
