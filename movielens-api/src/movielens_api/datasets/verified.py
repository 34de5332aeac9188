"""Which downloads were verified: a record beside each file, which holds as long as the file is untouched."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from movielens_api.errors import DamagedDatasetError, StartupError


@dataclass(frozen=True)
class Record:
    """What is known of a file.

    Attributes:
        md5: the checksum that it had when it was verified last; None if it never was.
        state: its size, times and inode at that time.
    """

    md5: str | None = None
    state: object = None


def verify(path: Path, md5: str | None, published: Callable[[], str]) -> None:
    """Refuse a file whose checksum is wrong. One that was verified and is untouched since then is not read again.

    Args:
        path: the file.
        md5: its checksum, if it never changes.
        published: returns the checksum otherwise; asked only if the file has another one than when it was verified.

    Raises:
        DamagedDatasetError: the checksum is wrong.
        StartupError: the file cannot be read, or as `published`.
    """
    record = _record(path)
    try:
        # Before the file is read: what is written to it meanwhile has another time.
        state = _state(path)
        if record.md5 and record.state == state and md5 in {None, record.md5}:
            return
        found = _md5_of(path)
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror or error}") from error
    expected = md5 or (found if found == record.md5 else published())
    if found != expected:
        raise DamagedDatasetError(
            f"{path} has the MD5 checksum {found}, and GroupLens publishes {expected}: delete it to download it again, "
            "or move it elsewhere and give --dataset that path to load it as it is"
        )
    _write(path, Record(found, state))


def remember(path: Path, md5: str) -> None:
    """Record that a file, which was just downloaded and checked, has the right checksum.

    Args:
        path: the file.
        md5: its checksum.
    """
    _write(path, Record(md5, _state(path)))


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        # What GroupLens publishes; it guards against accidents, HTTPS against attackers.
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _record(path: Path) -> Record:
    try:
        return Record(**json.loads(_beside(path).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Record()


def _write(path: Path, record: Record) -> None:
    # Where nothing can be written, the next start reads the file again.
    with suppress(OSError):
        _beside(path).write_text(json.dumps({"md5": record.md5, "state": record.state}), encoding="ascii")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _state(path: Path) -> list[int]:
    found = path.stat()
    # With the time when the inode changed: programs set that of the content as they like, but not this one.
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
