"""The one folder in which the stack keeps its files, and its lock."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).absolute().parent.parent


@dataclass(frozen=True)
class Layout:
    """The folders of one stack.

    Args:
        local: Everything that the stack writes.
        dags: The Dags that Airflow reads.
    """

    local: Path
    dags: Path = ROOT / "dags"

    @classmethod
    def from_environment(cls) -> Layout:
        """Use ``MOVIELENS_LOCAL_DIR``, or ``.local`` in the checkout."""
        return cls(Path(os.environ.get("MOVIELENS_LOCAL_DIR") or ROOT / ".local").absolute())

    @property
    def airflow_home(self) -> Path:
        """Airflow's configuration, database and task logs."""
        return self.local / "airflow"

    @property
    def data(self) -> Path:
        """The ratings and rankings that the Dags write."""
        return self.local / "data"

    @property
    def models(self) -> Path:
        """The registry and the evaluations of the Dag `07_recommend`, which are local files."""
        return self.data / "07_recommend"

    @property
    def registry(self) -> Path:
        """The models that the Dag `07_recommend` registers; movielens-api serves the champion."""
        return self.models / "registry"

    @property
    def served(self) -> Path:
        """The ratings that movielens-api serves."""
        return self.local / "served"

    @property
    def logs(self) -> Path:
        """The output of each process of the stack."""
        return self.local / "logs"

    def create(self) -> None:
        """Create the folders, closed to other users because they hold secrets and data."""
        self.local.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.airflow_home, self.data, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    def shown(self, path: Path | str) -> str:
        """Return a path as a reader in the checkout would type it."""
        path = Path(path)
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


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
