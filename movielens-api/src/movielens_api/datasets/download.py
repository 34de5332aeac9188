"""Downloads that are complete and verified, or do not appear at all. A download that broke off is resumed."""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import shutil
import ssl
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from movielens_api.errors import DamagedDatasetError, DownloadError, StartupError
from movielens_api.system import private_files
from movielens_api.system.atomic_files import move_file
from movielens_api.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedRandom

_SECONDS_OF_SILENCE = 30
_AT_ONCE = 1 << 20
_TOLD_STEPS = 10
_MEGABYTE = 1_000_000
_PARTIAL, _NOTHING_LEFT = 206, 416


class _CutOffError(Exception):
    """The connection ended before the file did."""


def download(url: str, target: Path, md5: str, report: Callable[[str], None]) -> None:
    """Download a file. A partial file in ``<target>.part`` is resumed.

    Args:
        url: The URL of the file.
        target: Where to put it. It appears when it is complete and its checksum is right.
        md5: The expected checksum.
        report: Called with lines about the progress.

    Raises:
        DownloadError: The server cannot be reached, or the connection broke.
        DamagedDatasetError: The checksum is wrong.
        StartupError: The file cannot be written.
    """
    part = target.with_name(target.name + ".part")
    with _writing(part), _locked(part) as file:
        _complete(url, file, report)
        file.seek(0)
        found = hashlib.file_digest(file, _md5).hexdigest()
        if found != md5:
            part.unlink()
            raise DamagedDatasetError(
                f"{url} has the MD5 checksum {found} and should have {md5}: the downloaded file was deleted"
            )
        move_file(part, target)


def fetch_text(url: str, max_bytes: int = 1_000) -> str:
    """Return a short text.

    Raises:
        DownloadError: The server cannot be reached.
    """
    with _reaching(url), _open(url) as response:
        return response.read(max_bytes).decode("ascii", errors="replace")


def _md5() -> hashlib._Hash:
    # GroupLens publishes MD5. It guards against accidents, HTTPS against attackers.
    return hashlib.md5(usedforsecurity=False)


def _complete(url: str, file: BufferedRandom, report: Callable[[str], None]) -> None:
    """Resume the download until it is complete. An attempt that makes no progress is the last one."""
    while True:
        before = file.seek(0, 2)
        try:
            _continue(url, file, report)
        except _CutOffError as error:
            after = file.seek(0, 2)
            if after <= before:
                raise DownloadError(
                    f"the connection to {url} broke after {after:,} bytes, which are kept: try again to resume"
                ) from error
            report(f"the connection broke after {after / _MEGABYTE:,.1f} MB; resuming")
        else:
            return


def _continue(url: str, file: BufferedRandom, report: Callable[[str], None]) -> None:
    have = file.seek(0, 2)
    with _reaching(url), _open(url, have) as response:
        if response.status == _NOTHING_LEFT:
            return
        if response.status != _PARTIAL:
            have = 0
            file.truncate(0)
        announced = response.headers.get("Content-Length", "")
        rest = int(announced) if re.fullmatch(r"[0-9]{1,18}", announced) else 0
        total = have + rest if rest else None
        _refuse_without_room(file, rest)
        report(f"downloading {url}{_sizes(have, total)}")
        file.seek(have)
        for got in _copy(response, file, have):
            if total and got * _TOLD_STEPS // total > have * _TOLD_STEPS // total:
                report(f"{got / total:4.0%} downloaded")
            have = got
        if total is not None and have < total:
            raise _CutOffError


def _sizes(have: int, total: int | None) -> str:
    size = f", {total / _MEGABYTE:,.1f} MB" if total else ""
    return size + (f", from {have / _MEGABYTE:,.1f} MB on" if have else "")


def _copy(response: http.client.HTTPResponse, file: BufferedRandom, have: int) -> Iterator[int]:
    while True:
        try:
            content = response.read1(_AT_ONCE)
        except (OSError, http.client.HTTPException) as error:
            raise _CutOffError from error
        if not content:
            return
        file.write(content)
        have += len(content)
        yield have


def _open(url: str, start: int = 0) -> http.client.HTTPResponse:
    headers = {"User-Agent": "movielens-api", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked where the address is chosen
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_LEFT and start:
            return error  # type: ignore[return-value]
        raise
    return response


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        raise DownloadError(f"cannot download {url}: the server returned {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"cannot reach {url}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({reason.verify_message})"
    if isinstance(reason, OSError):
        return reason.strerror or str(reason)
    return str(reason) or type(reason).__name__


def _refuse_without_room(file: BufferedRandom, needed: int) -> None:
    free = shutil.disk_usage(Path(file.name).parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / _MEGABYTE:,.0f} MB are needed, {free / _MEGABYTE:,.0f} MB are free")


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartupError(f"cannot write {part} (see --data-dir): {error.strerror or error}") from error


@contextmanager
def _locked(part: Path) -> Iterator[BufferedRandom]:
    """Open the file as the only process that downloads to it."""
    private_files.make_folder(part.parent)
    with closing(FileLock(part)) as lock:
        if not lock.acquire(blocking=False):
            raise DownloadError(f"another process is downloading to {part}: try again when it is done")
        yield lock.file
