"""A process that dies, played within this one: its files stay as they are at that moment."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS = ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fsync")
"""What makes files durable, visible or vanish."""
_mkdir = os.mkdir


class Killed(BaseException):
    """Thrown where the process dies; nothing that is done behind it counts."""


class Death:
    """Where a run dies, and what is on the disk then.

    Args:
        kill: See `scenarios.Kill`; None for a run that lives.
        folder: What is on the disk.
    """

    def __init__(self, kill: tuple[str, int] | None, folder: Path) -> None:
        self._kill = kill
        self._folder = folder
        self._image = folder.with_name(f"{folder.name}-image")
        self._counts = {"progress": 0, "file": 0, "torn": 0}
        self._is_dead = False

    def step(self, what: str, torn: Path | None = None) -> None:
        """Die, if this is the place.

        Args:
            what: What is about to be done.
            torn: A file that is not written to its end before.

        Raises:
            Killed: The process is dead.
        """
        if self._is_dead:
            raise Killed
        self._counts[what] += 1
        if self._kill == (what, self._counts[what]):
            self._is_dead = True
            _copy(self._folder, self._image)
            if torn is not None:
                copy = self._image / torn.relative_to(self._folder)
                os.truncate(copy, copy.stat().st_size // 2)
            raise Killed

    def bury(self) -> None:
        """Put everything back to how it was at the moment of death."""
        shutil.rmtree(self._folder)
        self._image.rename(self._folder)

    @contextmanager
    def lurking(self) -> Iterator[None]:
        """Watch all steps that change what is on the disk. Nothing waits for a real disk meanwhile."""
        with mock.patch.multiple(os, **{name: self._watched(name, getattr(os, name)) for name in _STEPS}):
            yield

    def _watched(self, name: str, real: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if not self._is_dead:
                self.step("file")
                if name == "fsync":
                    file = Path(f"/proc/self/fd/{args[0]}").readlink()
                    if file.is_file():
                        self.step("torn", file)
                    return None
                return real(*args, **kwargs)
            raise Killed

        return watched


def _copy(source: Path, target: Path) -> None:
    _mkdir(target)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, target / entry.name)
        else:
            (target / entry.name).write_bytes(entry.read_bytes())
