"""Paths of files as users give them, and their formats, told by the ending."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["json", "ndjson", "csv", "parquet"]
Compression = Literal["uncompressed", "gzip", "zstd"]

_KINDS: dict[str, Kind] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_USUAL: dict[Kind, set[Compression]] = {
    "json": {"gzip"},
    "ndjson": {"gzip", "zstd"},
    "csv": {"gzip", "zstd"},
    "parquet": set(),
}


@dataclass(frozen=True)
class FileFormat:
    """How rows lie in a file.

    Attributes:
        kind: ``json`` is one array of objects, ``ndjson`` one object a line.
        compression: Of the whole file; Parquet compresses inside and takes none.
    """

    kind: Kind
    compression: Compression

    @classmethod
    def of(cls, path: str) -> FileFormat:
        """Tell the format by the ending of ``path``, such as ``.csv``, ``.ndjson.gz`` or ``.parquet``.

        Raises:
            ValueError: The ending is none of the known ones.
        """
        suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
        compression = _COMPRESSIONS.get(suffixes.pop()) if suffixes and suffixes[-1] in _COMPRESSIONS else None
        kind = _KINDS.get(suffixes[-1]) if suffixes else None
        if kind is None or (compression and compression not in _USUAL[kind]):
            known = ", ".join(_KINDS) + ", .json.gz, .ndjson.gz, .ndjson.zst, .csv.gz, .csv.zst"
            raise ValueError(f"cannot tell the file format of {path!r} by its ending: use one of {known}")
        return cls(kind, compression or "uncompressed")


def expand_home(path: str | Path) -> Path:
    """The path with a leading ``~`` or ``~user`` replaced, as shells do: left as it is if there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of pathlib fails for a file called ~old.csv
