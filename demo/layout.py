"""Where the stack keeps its files: one folder, so that nothing outside it is touched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent


@dataclass(frozen=True)
class Layout:
    """The folders of one stack.

    Args:
        local: Everything that the stack writes lies in here.
        dags: Airflow reads its Dags from here.
    """

    local: Path
    dags: Path = ROOT / "dags"

    @classmethod
    def from_environment(cls) -> Layout:
        """Use `MOVIELENS_LOCAL_DIR`, else `.local` in the checkout."""
        return cls(Path(os.environ.get("MOVIELENS_LOCAL_DIR") or ROOT / ".local").absolute())

    @property
    def airflow_home(self) -> Path:
        """Airflow's configuration, database and task logs."""
        return self.local / "airflow"

    @property
    def data(self) -> Path:
        """What the Dags write: ratings and rankings."""
        return self.local / "data"

    @property
    def served(self) -> Path:
        """What movielens-api keeps of the ratings that it serves."""
        return self.local / "served"

    @property
    def logs(self) -> Path:
        """What each process of the stack prints."""
        return self.local / "logs"

    def create(self) -> None:
        """Create the folders, closed to other users because secrets and data lie in them."""
        self.local.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.airflow_home, self.data, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    def shown(self, path: Path | str) -> str:
        """Write a path as a reader in the checkout would type it."""
        path = Path(path)
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
