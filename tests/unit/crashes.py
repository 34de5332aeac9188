"""The death of a process, simulated within this one: its files stay as they are at that moment."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS = ("link", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fsync")
"""The functions that make files durable or visible, or remove them."""
_mkdir = os.mkdir


class Killed(BaseException):
    """Raised where the process dies; whatever it does afterwards has no effect."""


class Death:
    """The death of a run, with an image of the files at that moment.

    Args:
        kill: Where the run dies, see `scenarios.Kill`; None if it does not.
        folder: The folder with the files.
    """

    def __init__(self, kill: tuple[str, int] | None, folder: Path) -> None:
        self._kill = kill
        self._folder = folder
        self._image = folder.with_name(f"{folder.name}-image")
        self._counts = {"progress": 0, "file": 0, "torn": 0}
        self._is_dead = False

    def step(self, what: str, torn: Path | None = None) -> None:
        """Die if the run is to be killed at this step.

        Args:
            what: The kind of the step.
            torn: A file to leave half written.

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

    def restore(self) -> None:
        """Restore the files as they were at the moment of death."""
        shutil.rmtree(self._folder)
        self._image.rename(self._folder)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch all steps that change files on the disk, without waiting for a real disk."""
        # All steps count, also those of libraries.
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
