"""The checkpoint of a fetch: which parts are durable, and the bookmark to resume from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from airflow_movielens.client.fetch.workdirs import NAME_OF_PART
from airflow_movielens.client.rows import Bookmark
from airflow_movielens.ratings.atomic_files import write_whole
from airflow_movielens.ratings.json_values import parse_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LAYOUT = 3
"""Incremented when the meaning of a checkpoint or its files changes: other layouts are not resumed."""

_MAX_AGE = timedelta(hours=24)
"""Older checkpoints are not resumed: a server without snapshots reveals few of the changes since."""

CHECKPOINT_NAME = "checkpoint.json"
_BYTES_AT_ONCE = 1 << 16


class Checkpoints(Protocol):
    """A store for the checkpoint of one fetch."""

    def load(self) -> dict[str, Any] | None:
        """Return the values saved last, or None.

        Raises:
            ValueError: The values cannot be read.
        """

    def save(self, values: dict[str, Any]) -> None:
        """Save ``values``, which JSON can hold, in place of the values before."""

    def clear(self) -> None:
        """Remove the saved values."""


@dataclass(frozen=True)
class Checkpoint:
    """The durable state of a fetch.

    Attributes:
        key: Identifies the fetch: equal keys, equal fetches.
        files: The names of the files of all parts, in order: ``.arrow`` has rows, ``.ndjson`` quarantined ones.
        size: The total size of these files in bytes.
        checksum: The CRC-32 of their concatenated bytes.
        rows: How many rows they hold.
        quarantined: How many of the rows are quarantined.
        bookmark: Where to resume; None at the start of the window.
        is_complete: Whether the window is complete.
        saved_at: When the checkpoint was saved, in UTC; None at the start of the window.
    """

    key: str
    files: tuple[str, ...] = ()
    size: int = 0
    checksum: int = 0
    rows: int = 0
    quarantined: int = 0
    bookmark: Bookmark | None = None
    is_complete: bool = False
    saved_at: datetime | None = None

    def with_file(self, path: Path) -> Checkpoint:
        """Return the checkpoint with one more file."""
        return replace(
            self,
            files=(*self.files, path.name),
            size=self.size + path.stat().st_size,
            checksum=_checksum(path, self.checksum),
        )

    def matches(self, paths: Sequence[Path]) -> bool:
        """Return whether these are its files, byte for byte."""
        if sum(path.stat().st_size for path in paths) != self.size:
            return False
        checksum = 0
        for path in paths:
            checksum = _checksum(path, checksum)
        return checksum == self.checksum

    @property
    def is_old(self) -> bool:
        """Whether it was saved more than `_MAX_AGE` ago, or so far in the future that a clock must be wrong."""
        return self.saved_at is not None and abs(datetime.now(UTC) - self.saved_at) > _MAX_AGE

    def to_dict(self) -> dict[str, Any]:
        """Return the checkpoint as values that JSON can hold."""
        saved_at = self.saved_at and self.saved_at.isoformat()
        values = {**asdict(self), "files": list(self.files), "saved_at": saved_at, "layout": LAYOUT}
        return {**values, "seal": _seal(values)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Checkpoint:
        """Read the result of `to_dict`, also after a round trip through JSON.

        Raises:
            ValueError: The values are not a checkpoint, or have another layout.
        """
        try:
            given = dict(values)
            if given["layout"] != LAYOUT:
                raise ValueError("the checkpoint is of another version of this package")
            if given.pop("seal") != _seal(given):
                raise ValueError("the checkpoint is not as it was written")
            del given["layout"]
            # The names are those of files to read and, from object storage, to write.
            if not all(NAME_OF_PART.fullmatch(name) for name in given["files"]):
                raise ValueError("the checkpoint names files that a fetch does not write")
            bookmark = given["bookmark"] and Bookmark.from_dict(given["bookmark"])
            saved_at = datetime.fromisoformat(given["saved_at"]).astimezone(UTC)
            return cls(**{**given, "files": tuple(given["files"]), "bookmark": bookmark, "saved_at": saved_at})
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"the checkpoint cannot be read: {error!r}") from error


def _seal(values: dict[str, Any]) -> int:
    """Return the CRC-32 of a checkpoint without its age, which is checked separately."""
    sealed = {name: value for name, value in values.items() if name not in ("saved_at", "seal")}
    return crc32(json.dumps(sealed, sort_keys=True).encode())


def _checksum(path: Path, checksum: int) -> int:
    """Return the CRC-32 of bytes with this ``checksum`` followed by a file."""
    with path.open("rb") as file:
        while content := file.read(_BYTES_AT_ONCE):
            checksum = crc32(content, checksum)
    return checksum


class FileCheckpoints:
    """The checkpoint in a local file that is replaced atomically.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Any] | None:
        """Return the values saved last; see `Checkpoints`."""
        try:
            values: dict[str, Any] = parse_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Save ``values``; they are on the disk when this returns."""
        write_whole(self._path, json.dumps(values).encode())

    def clear(self) -> None:
        """Remove the saved values."""
        self._path.unlink(missing_ok=True)
