"""Paths and URLs of files as users give them, and the file format that the extension selects."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote

from airflow_movielens.ratings.messages import shown

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

_WITH_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_STORES = {"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs", "hdfs", "http", "https"}
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})/", re.ASCII)
_RESERVED_NAME = re.compile(r"\.partial-.*|\..*\.manifest\.json|.*\.quarantine\.ndjson", re.DOTALL)

_LONGEST_NAME = 220
"""Bytes; the folder of its parts has 35 more."""


@dataclass(frozen=True)
class FileFormat:
    """The format of a file.

    Attributes:
        kind: ``json`` is one array of objects, ``ndjson`` one object per line.
        compression: The compression of the whole file; Parquet compresses internally.
    """

    kind: Kind
    compression: Compression

    @classmethod
    def of(cls, path: str) -> FileFormat:
        """Return the format for the extension of ``path``, such as ``.csv``, ``.ndjson.gz`` or ``.parquet``.

        Raises:
            ValueError: The extension is unknown.
        """
        suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
        compression = _COMPRESSIONS.get(suffixes.pop()) if suffixes and suffixes[-1] in _COMPRESSIONS else None
        kind = _KINDS.get(suffixes[-1]) if suffixes else None
        if kind is None or (compression and compression not in _USUAL[kind]):
            known = ", ".join(_KINDS) + ", .json.gz, .ndjson.gz, .ndjson.zst, .csv.gz, .csv.zst"
            raise ValueError(f"cannot tell the file format of {path!r} by its ending: use one of {known}")
        return cls(kind, compression or "uncompressed")


def expand_home(path: str | Path) -> Path:
    """Return the path with a leading ``~`` or ``~user`` expanded, as shells do; unchanged if the user is unknown."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of pathlib fails for a file called ~old.csv


def path_text(path: object) -> str:
    """Return a path or URL as text, with the scheme of a URL in lower case.

    Args:
        path: A string, any ``os.PathLike``, or Airflow's ``ObjectStoragePath``.

    Raises:
        ValueError: The value is not a path, or is ambiguous.
    """
    # ObjectStoragePath is not an os.PathLike, or one that loses its connection.
    text = str(path) if hasattr(path, "protocol") else path
    text = os.fspath(text) if isinstance(text, os.PathLike) else text
    if not isinstance(text, str):
        raise ValueError(f"{shown(path)} is not a path: give a string, a Path or an ObjectStoragePath")
    if not text.strip() or "\0" in text:
        raise ValueError(f"{text!r} is not a path: it is empty or has a null character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{text!r} has bytes that are not UTF-8: rename the file or folder, or set PYTHONUTF8=1")
    return _with_clear_scheme(text)


def _with_clear_scheme(text: str) -> str:
    match = _WITH_SCHEME.match(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text)
    if len(scheme) == 1 or text.startswith("\\\\"):
        raise ValueError(f"{text!r} looks like a Windows path: give a POSIX path or a URL")
    if scheme in ("file", "local"):
        return _file_url(text, rest)
    if scheme and rest.startswith("//"):
        return _store_url(text, scheme, rest)
    if scheme in _STORES or (scheme and rest.startswith("/")):
        raise ValueError(
            f"{text!r} looks like a URL without its two slashes: write {scheme}://… in a string, not a Path"
        )
    if "://" in text:
        raise ValueError(f"{text!r} is neither a path nor a URL, which begins with a scheme such as s3://")
    if _VARIABLE.match(text):
        raise ValueError(f"{text!r} begins with a variable, which only a shell fills in: give the whole path")
    if text.startswith("~") and "/" in text and not _is_home_known(text):
        raise ValueError(f"{text!r} begins with the home folder of a user who is not known: give the whole path")
    return text


def _is_home_known(text: str) -> bool:
    # With an empty HOME, it would become the root of the file system.
    is_own = text.startswith("~/")
    return expand_home(text).is_absolute() and not (is_own and os.environ.get("HOME") == "")


def _file_url(text: str, rest: str) -> str:
    place, slash, path = rest[2:].partition("/") if rest.startswith("//") else ("", rest[:1], rest[1:])
    if slash != "/" or place not in ("", "localhost") or path.startswith("~"):
        raise ValueError(f"{text!r} does not name an absolute path: write file:///folder/file, or the path alone")
    return f"file:///{path}"


def _store_url(text: str, scheme: str, rest: str) -> str:
    place, _, _ = rest[2:].partition("/")
    if not place.rpartition("@")[2] and scheme in _STORES:
        raise ValueError(f"{text!r} names no bucket: write {scheme}://bucket/key")
    return f"{scheme}:{rest}"


def local_path(path: object) -> Path | None:
    """Return the local path, or None for a URL of another scheme than ``file``.

    Raises:
        ValueError: See `path_text`.
    """
    text = path_text(path)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _from_current_folder(expand_home(text))
    return Path(unquote(rest)) if scheme == "file" else None


def _from_current_folder(path: Path) -> Path:
    try:
        path.is_absolute() or os.getcwd()  # noqa: PTH109 - only whether there is one
    except FileNotFoundError:
        raise ValueError(f"{path} is relative to the current folder, which is gone: give an absolute path") from None
    return path


def output_text(path: object) -> str:
    """Return the path of a file to write as text; see `path_text`.

    Raises:
        ValueError: The value is not a path, its extension is unknown, it is a folder, or its name is too long or
            reserved for the files that lie beside outputs.
    """
    text = path_text(path)
    FileFormat.of(text)
    name = text.rpartition("/")[2]
    local = local_path(text)
    if name in ("", ".", "..") or (local is not None and local.is_dir()):
        raise ValueError(f"{text} is a folder: give the path of a file")
    if local is not None and (size := len(os.fsencode(name))) > _LONGEST_NAME:
        why = "hidden files beside it have longer names, and 255 bytes are the most that a file system allows"
        raise ValueError(f"{text} has a name of {size} bytes: give at most {_LONGEST_NAME}, because {why}")
    if _RESERVED_NAME.fullmatch(name):
        raise ValueError(f"{text} has a name that is kept for manifests, quarantined rows and unfinished files")
    return text
