"""Models and registries as `docs/model-format.md` specifies them, written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

PARAMETERS = {
    "lambda_1": 800.0,
    "lambda_2": 800.0,
    "later_likes": 0.4,
    "decay": 0.05,
    "trend": 0.6,
    "min_likes": 5,
    "max_movies": None,
}


@dataclass
class Arrays:
    """The content of a model: arbitrary numbers, different for each seed, in which equal values are frequent."""

    movies: Sequence[int] = (1, 2, 3, 10, 50, 1172)
    others: Sequence[int] = (7, 4, 500)
    seed: int = 0
    by_name: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        chance = np.random.default_rng(self.seed)
        size = len(self.movies)
        matrix = chance.integers(-4, 12, (size, size)) / 64
        np.fill_diagonal(matrix, 0)
        self.by_name = {
            "movies": np.array(self.movies, "<i4"),
            "trend": (chance.integers(1, 9, size) / 8).astype("<f4"),
            "other_movies": np.array(self.others, "<i4"),
            "other_trend": (np.sort(chance.integers(1, 9, len(self.others)))[::-1] / 16).astype("<f4"),
            "matrix": matrix.astype("<f4"),
        }

    def file(self, compression: int = ZIP_STORED, **header: Any) -> bytes:
        """Return the file, with other values of the header if given."""
        described = {
            name: {"shape": list(array.shape), "dtype": array.dtype.name, "sha256": sha256(array.tobytes()).hexdigest()}
            for name, array in self.by_name.items()
        }
        content = {
            "format": "airflow-movielens-model",
            "format_version": 1,
            "package_version": "0.0",
            "parameters": PARAMETERS,
            "trained_on": {"ratings": 1, "users": 1, "first_timestamp": 0, "last_timestamp": 0},
            "arrays": described,
        }
        buffer = BytesIO()
        with ZipFile(buffer, "w", compression) as archive:
            archive.writestr("header.json", json.dumps(content | header))
            for name, array in self.by_name.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        return buffer.getvalue()


@dataclass
class Registry:
    """The folder of a registry."""

    folder: Path

    def register(self, content: bytes) -> str:
        """Add a model's file, and return its version."""
        version = f"20261129T{len(self.events()):06}Z-{sha256(content).hexdigest()[:8]}"
        path = self.folder / "models" / f"{version}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.event("register", version, champion=self.champion())
        return version

    def promote(self, version: str) -> None:
        self.event("promote", version, champion=version)

    def event(self, action: str, version: str, *, champion: str | None) -> None:
        number = len(self.events()) + 1
        said = {"number": number, "action": action, "model": version, "champion": champion, "challenger": None}
        path = self.folder / "history" / f"{number:08}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(said))
        partial.rename(path)

    def events(self) -> list[Path]:
        return sorted((self.folder / "history").glob("*.json"))

    def champion(self) -> str | None:
        events = self.events()
        champion: str | None = json.loads(events[-1].read_text())["champion"] if events else None
        return champion
