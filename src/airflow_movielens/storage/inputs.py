"""The input files of a task: paths, globs, folders of part files and manifests, local or on object storage."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.fetch.output import QUARANTINE_ENDING
from airflow_movielens.ratings.paths import FileFormat, local_path, path_text
from airflow_movielens.storage.object_store import named_errors, object_at

if TYPE_CHECKING:
    from collections.abc import Sequence

ManifestValues = Mapping[str, Any]
"""The return value of `MovielensFetchRatingsOperator`; only its ``path`` is used."""
InputPath = str | os.PathLike[str] | ManifestValues


def input_files(paths: InputPath | Iterable[InputPath], *, output: str | None = None) -> list[str]:
    """Return the files to read, each once.

    Args:
        paths: A path, a glob such as ``ratings/2000-11-*.parquet``, a folder of part files, a manifest, or several of
            these. An existing path, or the path of a manifest, is never treated as a glob.
        output: The file to write.

    Raises:
        FileNotFoundError: A glob matches nothing, or a folder has no part files.
        ValueError: An item is not a path, a folder does not hold part files, or ``output`` is an input.
    """
    is_several = isinstance(paths, Iterable) and not isinstance(paths, str | os.PathLike | Mapping)
    items: list[object] = list(paths) if is_several else [paths]  # type: ignore[arg-type]
    found: dict[str, str] = {}
    for item in items:
        for file in _files_of(item):
            found.setdefault(_identity(file), file)
    if not found:
        raise FileNotFoundError("no input file is given")
    if output is not None:
        _check_output(output, items, list(found.values()))
    return list(found.values())


def _identity(file: str) -> str:
    local = local_path(file)
    return file if local is None else os.path.realpath(local)


def _files_of(item: object) -> list[str]:
    text = _named(item)
    if isinstance(item, Mapping):
        return [text]
    place = _Local(text) if local_path(text) is not None else _Remote(text)
    # First, because the listing also tells whether the path exists.
    matches = place.matches() if has_magic(text) else None
    if place.is_file():
        return [text]
    if place.is_folder():
        return _parts(place)
    return [text] if matches is None else _files_of_matches(place, matches)


def _named(item: object) -> str:
    if isinstance(item, Mapping) and "path" not in item:
        raise ValueError(f"a manifest has no path, only {', '.join(map(str, item)) or 'nothing'}")
    return path_text(item["path"] if isinstance(item, Mapping) else item)


class _Local:
    """The file, folder or glob of a local path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.path = str(local_path(text))

    def is_file(self) -> bool:
        return os.path.isfile(self.path)  # noqa: PTH113 - as text, like all here

    def is_folder(self) -> bool:
        return os.path.isdir(self.path)  # noqa: PTH112

    def matches(self) -> list[str]:
        return sorted(glob(self.path, recursive=True))  # noqa: PTH207 - Path.glob would match hidden files too

    def walk(self) -> list[str]:
        return sorted(str(file) for file in Path(self.path).rglob("*") if file.is_file())

    def at(self, path: str) -> _Local:
        return _Local(self.name(path))

    def name(self, path: str) -> str:
        # A path that was found stays a path, even if its name looks like a URL or a home folder.
        return f"./{path}" if path.startswith("~") or ":" in path.partition("/")[0] else path


class _Remote:
    """The file, folder or glob of a URL, looked up in the file system of its connection.

    Args:
        text: The URL.
        kind: ``file`` or ``directory`` if a listing has told; ``nothing`` if there is neither; None if it is not known.
    """

    def __init__(self, text: str, kind: str | None = None) -> None:
        self.text = text
        target = object_at(text)
        self.path, self._fs = target.path, target.fs
        self._kind = kind
        self._kinds: dict[str, str] = {}

    def is_file(self) -> bool:
        if self._kind is not None:
            return self._kind == "file"
        with named_errors(self.text, "read"):
            return bool(self._fs.isfile(self.path))

    def is_folder(self) -> bool:
        if self._kind is not None:
            return self._kind == "directory"
        with named_errors(self.text, "read"):
            return bool(self._fs.isdir(self.path))

    def matches(self) -> list[str]:
        # Other processes write here, so a listing that was kept is of no use.
        self._fs.invalidate_cache()
        with named_errors(self.text, "listed"):
            found = self._fs.glob(self.path, detail=True)
        self._kinds = {path: entry["type"] for path, entry in found.items()}
        if "[" not in self.path:  # a path with * and ? matches itself
            self._kind = self._kinds.get(self.path, "nothing")
        return sorted(found)

    def walk(self) -> list[str]:
        with named_errors(self.text, "listed"):
            return sorted(self._fs.find(self.path))

    def at(self, path: str) -> _Remote:
        return _Remote(self.name(path), self._kinds.get(path))

    def name(self, path: str) -> str:
        scheme, _, rest = self.text.partition("://")
        connection, at, _ = rest.partition("/")[0].rpartition("@")
        return f"{scheme}://{connection}{at}{path.lstrip('/')}"


def _parts(folder: _Local | _Remote) -> list[str]:
    """Return the files of a folder as Spark and Hive write it."""
    start = folder.path.rstrip("/") + "/"
    files = [file for file in folder.walk() if not _is_left_out(file.removeprefix(start), "")]
    if not files:
        raise FileNotFoundError(f"there is no file of rows in the folder {folder.text}")
    if not _holds_parts(start, files):
        raise ValueError(f"{folder.text} is a folder: give its files, for example by a glob such as *.parquet in it")
    return [folder.name(file) for file in files]


def _holds_parts(start: str, files: Sequence[str]) -> bool:
    try:
        FileFormat.of(start)
    except ValueError:
        names = [file.removeprefix(start) for file in files]
        return all(name.rpartition("/")[2].startswith("part-") or "=" in name.partition("/")[0] for name in names)
    return True


def _files_of_matches(pattern: _Local | _Remote, matches: Sequence[str]) -> list[str]:
    found = [path for path in matches if not _is_left_out(path, pattern.path)]
    files = [file for path in found for file in _files_of_match(pattern.at(path), pattern.name(path))]
    if not files:
        raise FileNotFoundError(f"no file matches {pattern.text}")
    return files


def _files_of_match(match: _Local | _Remote, name: str) -> list[str]:
    if not match.is_folder():
        return [name]
    try:
        return _parts(match)
    except (FileNotFoundError, ValueError):
        return []  # a glob may also match folders of other things


def _is_left_out(path: str, pattern: str) -> bool:
    """Return whether a file is hidden, as ``_SUCCESS`` is, or quarantined, unless the pattern names such files."""
    asked = [part for part in pattern.split("/") if part.startswith((".", "_"))]
    hidden = [part for part in path.split("/") if part.startswith((".", "_"))]
    if any(not any(part[0] == name[0] and fnmatchcase(part, name) for name in asked) for part in hidden):
        return True
    return path.endswith((QUARANTINE_ENDING, ".crc"))


def _check_output(output: str, items: Iterable[object], files: Sequence[str]) -> None:
    for file in files:
        if _is_same(file, output):
            raise ValueError(f"the output {output} is also an input, which it would replace: write to another file")
    target = steps(output)
    for text in map(_named, items):
        meant = steps(text)
        inside = target[: len(meant)] == meant
        if inside or (has_magic(text) and text not in files and _would_match(meant, target)):
            raise ValueError(f"the output {output} is among the inputs {text}: write it to another folder or name")


def _is_same(first: str, second: str) -> bool:
    if steps(first) == steps(second):
        return True
    paths = [local_path(first), local_path(second)]
    if None in paths or not all(path is not None and path.exists() for path in paths):
        return False
    return os.path.samefile(*paths)  # type: ignore[arg-type]  # noqa: PTH121


def steps(text: str) -> list[str]:
    """Return the names on the path to a file: equal for equal files, regardless of links and connections."""
    local = local_path(text)
    if local is not None:
        return os.path.realpath(local).split("/")
    scheme, _, rest = text.partition("://")
    place, _, key = rest.partition("/")
    store = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}.get(scheme, scheme)
    return [f"{store}:", *(step for step in (place.rpartition("@")[2], *key.split("/")) if step not in ("", "."))]


def _would_match(pattern: Sequence[str], steps: Sequence[str]) -> bool:
    if not pattern or not steps:
        return not steps and all(name == "**" for name in pattern)
    if pattern[0] == "**":
        return _would_match(pattern[1:], steps) or _would_match(pattern, steps[1:])
    return fnmatchcase(steps[0], pattern[0]) and _would_match(pattern[1:], steps[1:])
