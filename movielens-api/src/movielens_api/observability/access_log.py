"""The access log: one JSON object per line and request."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_SECONDS_COLLECTED = 0.1
_STANDARD_ERROR = "-"


class AccessLog:
    """A log in a file or on standard error. The file may be renamed at any time.

    Lines are collected for a tenth of a second and written at once, so that those of several processes do not mix.

    Args:
        destination: The path of a file, or ``-`` for standard error.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, destination: str) -> None:
        self._path = None if destination == _STANDARD_ERROR else Path(destination)
        self._descriptor = self._open()
        self._lines: list[str] = []
        # Everything except ASCII is escaped, also line ends, so no request can forge a line.
        self._encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line. Call it from within the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_SECONDS_COLLECTED, self.flush)
        self._lines.append(self._encode(entry))

    def flush(self) -> None:
        """Write the collected lines."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        # A full disk or a closed terminal must not stop the server from responding.
        with suppress(OSError):
            self._reopen_if_renamed()
            _write(self._descriptor, "".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Write the collected lines, and close the file."""
        self.flush()
        if self._path:
            os.close(self._descriptor)

    def _open(self) -> int:
        if self._path is None:
            return sys.stderr.fileno()
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _reopen_if_renamed(self) -> None:
        if self._path is None:
            return
        try:
            same = os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            same = False
        if not same:
            before, self._descriptor = self._descriptor, self._open()
            os.close(before)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
