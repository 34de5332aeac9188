"""What a later attempt must know to go on: which parts are durable, and the bookmark behind them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from airflow_movielens.client.rows import Bookmark
from airflow_movielens.ratings.atomic_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LAYOUT = 2
"""Raised when a checkpoint or its files come to mean something else: those of other versions are not gone on from."""

MAX_AGE = timedelta(hours=24)
"""What lay longer is not gone on from: a server without snapshots shows few of the changes since."""

CHECKPOINT_NAME = "checkpoint.json"
_BYTES_AT_ONCE = 1 << 16


class Checkpoints(Protocol):
    """Where the checkpoint of one fetch is kept."""

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last; None if nothing was.

        Raises:
            ValueError: It cannot be read.
        """

    def save(self, values: dict[str, Any]) -> None:
        """Keep ``values``, which JSON knows, instead of what was saved before."""

    def clear(self) -> None:
        """Forget what was saved."""


@dataclass(frozen=True)
class Checkpoint:
    """How far a fetch is durable.

    Attributes:
        key: What makes a fetch the same fetch.
        files: The names of the files of all parts, in order: ``.arrow`` has rows, ``.ndjson`` quarantined ones.
        size: Bytes of all these files.
        checksum: CRC-32 of their bytes, one after the other.
        rows: How many rows they hold.
        quarantined: How many rows of them are quarantined ones.
        bookmark: How to go on behind them; None at the start of the window.
        is_complete: Whether nothing follows.
        saved_at: When it was made, in UTC; None for the one at the start of the window.
    """

    key: str
    files: tuple[str, ...] = ()
    size: int = 0
    checksum: int = 0
    rows: int = 0
    quarantined: int = 0
    bookmark: Bookmark | None = field(default=None)
    is_complete: bool = False
    saved_at: datetime | None = None

    def with_file(self, path: Path) -> Checkpoint:
        """The checkpoint with one more file."""
        return replace(
            self,
            files=(*self.files, path.name),
            size=self.size + path.stat().st_size,
            checksum=_checksum(path, self.checksum),
        )

    def matches(self, paths: Sequence[Path]) -> bool:
        """Whether these are its files, byte for byte."""
        if sum(path.stat().st_size for path in paths) != self.size:
            return False
        checksum = 0
        for path in paths:
            checksum = _checksum(path, checksum)
        return checksum == self.checksum

    @property
    def is_old(self) -> bool:
        """Whether it was made longer than `MAX_AGE` ago, or so far in the future that a clock must be wrong."""
        return self.saved_at is not None and abs(datetime.now(UTC) - self.saved_at) > MAX_AGE

    def to_dict(self) -> dict[str, Any]:
        """The checkpoint in values that JSON knows."""
        saved_at = self.saved_at and self.saved_at.isoformat()
        values = {**asdict(self), "files": list(self.files), "saved_at": saved_at, "layout": LAYOUT}
        return {**values, "seal": _seal(values)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Checkpoint:
        """Read what `to_dict` gave, perhaps after a way through JSON.

        Raises:
            ValueError: It is none, or of another layout.
        """
        try:
            given = dict(values)
            if given["layout"] != LAYOUT:
                raise ValueError("the checkpoint is of another version of this package")
            if given.pop("seal") != _seal(given):
                raise ValueError("the checkpoint is not as it was written")
            del given["layout"]
            bookmark = given["bookmark"] and Bookmark.from_dict(given["bookmark"])
            saved_at = datetime.fromisoformat(given["saved_at"]).astimezone(UTC)
            return cls(**{**given, "files": tuple(given["files"]), "bookmark": bookmark, "saved_at": saved_at})
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"the checkpoint cannot be read: {error!r}") from error


def _seal(values: dict[str, Any]) -> int:
    """The CRC-32 of a checkpoint, but for its age, which is judged by itself."""
    sealed = {name: value for name, value in values.items() if name not in ("saved_at", "seal")}
    return crc32(json.dumps(sealed, sort_keys=True).encode())


def _checksum(path: Path, checksum: int) -> int:
    """The CRC-32 of bytes that have ``checksum`` so far, and of a file behind them."""
    with path.open("rb") as file:
        while content := file.read(_BYTES_AT_ONCE):
            checksum = crc32(content, checksum)
    return checksum


class FileCheckpoints:
    """Keeps the checkpoint in a local file, which is replaced in one step.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last; see `Checkpoints`."""
        try:
            values: dict[str, Any] = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Keep ``values``; they are on the disk when this returns."""
        write_whole(self._path, json.dumps(values).encode())

    def clear(self) -> None:
        """Forget what was saved."""
        self._path.unlink(missing_ok=True)
