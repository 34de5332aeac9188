"""Datasets that GroupLens offers for download, by their names."""

import re
import urllib.parse
from pathlib import Path

from movielens_api.datasets.download import download, fetch_text
from movielens_api.datasets.options import DOWNLOADS_VARIABLE, Options
from movielens_api.datasets.verified import remember, verify
from movielens_api.errors import DamagedDatasetError, DownloadError, StartupError

# What GroupLens publishes beside the files that never change; ml-latest-small changes, so its checksum is fetched.
MD5: dict[str, str | None] = {
    "ml-latest-small": None,
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
LICENCE = (
    "MovieLens data belong to GroupLens, University of Minnesota: no redistribution and no commercial use without "
    "permission, and publications cite them (the README in the zip; https://grouplens.org/datasets/movielens/)"
)


def fetch(name: str, options: Options) -> Path:
    """Return the dataset's zip, which is downloaded the first time. Whoever put it there, its checksum is verified.

    Args:
        name: one of `MD5`.
        options: where files are kept and come from, who hears of it.

    Raises:
        DownloadError: it cannot be reached.
        DamagedDatasetError: its checksum is wrong.
        StartupError: it cannot be written, or the address to download from is no such address.
    """
    target = options.data_dir / "downloads" / f"{name}.zip"
    if not target.is_file():
        _download(name, target, options)
        options.tell(LICENCE)
    verify(target, MD5[name], lambda: _published_of(target, options))
    return target


def _download(name: str, target: Path, options: Options) -> None:
    url = f"{_checked(options.downloads)}/{name}.zip"
    # Without a known checksum, a file that is put there could not be verified.
    place = f"put it at {target}, or " if MD5[name] else ""
    by_hand = f"; {name}.zip downloaded in any other way will do: {place}give --dataset its path"
    try:
        md5 = MD5[name] or _published(url)
        download(url, target, md5, options.tell)
    except DownloadError as error:
        raise DownloadError(f"{error}{by_hand}") from error
    remember(target, md5)


def _published_of(target: Path, options: Options) -> str:
    try:
        return _published(f"{_checked(options.downloads)}/{target.name}")
    except DownloadError as error:
        raise DownloadError(
            f"{target} cannot be verified: {error}; to load it as it is, move it elsewhere and give --dataset that path"
        ) from error


def _published(url: str) -> str:
    # GroupLens writes it after the name of the file or before it.
    text = fetch_text(f"{url}.md5")
    found = re.search(r"\b[0-9a-f]{32}\b", text, re.IGNORECASE)
    if not found:
        raise DamagedDatasetError(f"{url}.md5 holds no MD5 checksum but {text[:80]!r}")
    return found[0].lower()


def _checked(address: str) -> str:
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if "@" in address:
        raise StartupError(
            f"{DOWNLOADS_VARIABLE} holds a user or a password, which downloads do not send: leave it out"
        )
    if not usable or re.search(r"[\s?#]", address):
        raise StartupError(f"{DOWNLOADS_VARIABLE} is no http or https address: {address!r}")
    return address.rstrip("/")
