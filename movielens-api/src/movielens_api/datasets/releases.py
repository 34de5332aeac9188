"""GroupLens' releases: downloaded once, and verified when they change on disk."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.datasets.download import download, fetch_text
from movielens_api.datasets.options import DOWNLOADS_VARIABLE, Options
from movielens_api.errors import DamagedDatasetError, DownloadError, StartupError
from movielens_api.system.atomic_files import replace_file
from movielens_api.system.json_values import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The checksums that GroupLens publishes. ml-latest-small changes, so its checksum is fetched.
MD5: dict[str, str | None] = {
    "ml-latest-small": None,
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
LICENCE = (
    "MovieLens data belong to GroupLens, University of Minnesota: no redistribution and no commercial use without "
    "permission, and publications cite them (the README in the zip; https://grouplens.org/datasets/movielens/)"
)


@dataclass(frozen=True)
class Record:
    """What is recorded about a file.

    Attributes:
        md5: The checksum when it was last verified; None if it never was.
        state: Its size, times and inode at that time.
    """

    md5: str | None = None
    state: object = None


def verify(path: Path, md5: str | None, published: Callable[[], str]) -> None:
    """Raise if the checksum of a file is wrong. A verified file is not read again as long as it is unchanged.

    Args:
        path: The file.
        md5: The expected checksum, if it never changes.
        published: Returns the published checksum otherwise. Called only if the file changed since it was verified.

    Raises:
        DamagedDatasetError: The checksum is wrong.
        StartupError: The file cannot be read, or ``published`` raised it.
    """
    record = _record(path)
    try:
        # Before the file is read, so that a change during the reading is noticed.
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
            "or move it away and pass its path as --dataset to load it as it is"
        )
    _write(path, Record(found, state))


def remember(path: Path, md5: str) -> None:
    """Record that the checksum of a downloaded file is right.

    Args:
        path: The file.
        md5: Its checksum.
    """
    _write(path, Record(md5, _state(path)))


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        # GroupLens publishes MD5. It guards against accidents, HTTPS against attackers.
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _record(path: Path) -> Record:
    try:
        return Record(**parse_json(_beside(path).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Record()


def _write(path: Path, record: Record) -> None:
    # Where nothing can be written, the next start reads the file again.
    with suppress(OSError), replace_file(_beside(path)) as file:
        file.write(json.dumps({"md5": record.md5, "state": record.state}).encode())


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _state(path: Path) -> list[int]:
    found = path.stat()
    # Including the time when the inode changed, which programs cannot set, unlike that of the content.
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def fetch(name: str, options: Options) -> Path:
    """Return the zip of a release. It is downloaded the first time, and always verified.

    Args:
        name: One of ``MD5``.
        options: Where files are kept and come from, and where messages go.

    Raises:
        DownloadError: The server cannot be reached.
        DamagedDatasetError: The checksum is wrong.
        StartupError: The file cannot be written, or the configured URL is not valid.
    """
    target = options.data_dir / "downloads" / f"{name}.zip"
    if not target.is_file():
        _download(name, target, options)
        options.report(LICENCE)
    verify(target, MD5[name], lambda: _published_of(target, options))
    return target


def _download(name: str, target: Path, options: Options) -> None:
    url = f"{_checked(options.downloads)}/{name}.zip"
    # Without a known checksum, a file that is put there could not be verified.
    place = f"put it at {target}, or " if MD5[name] else ""
    by_hand = f"; if you download {name}.zip in another way, {place}pass its path as --dataset"
    try:
        md5 = MD5[name] or _published(url)
        download(url, target, md5, options.report)
    except DownloadError as error:
        raise DownloadError(f"{error}{by_hand}") from error
    remember(target, md5)


def _published_of(target: Path, options: Options) -> str:
    try:
        return _published(f"{_checked(options.downloads)}/{target.name}")
    except DownloadError as error:
        raise DownloadError(
            f"{target} cannot be verified: {error}; to load it as it is, move it away and pass its path as --dataset"
        ) from error


def _published(url: str) -> str:
    # GroupLens writes the checksum after the name of the file or before it.
    text = fetch_text(f"{url}.md5")
    found = re.search(r"\b[0-9a-f]{32}\b", text, re.IGNORECASE)
    if not found:
        raise DamagedDatasetError(f"{url}.md5 does not contain an MD5 checksum, but {text[:80]!r}")
    return found[0].lower()


def _checked(address: str) -> str:
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if "@" in address:
        raise StartupError(
            f"{DOWNLOADS_VARIABLE} contains a user or a password, which downloads do not send: remove it"
        )
    if not usable or re.search(r"[\s?#]", address):
        raise StartupError(f"{DOWNLOADS_VARIABLE} is not an http or https URL: {address!r}")
    return address.rstrip("/")
