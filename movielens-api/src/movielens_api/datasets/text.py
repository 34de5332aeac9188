"""The text of a file in any common encoding and with any line ends. Text that cannot be decoded exactly is refused."""

from __future__ import annotations

import codecs
import re

from movielens_api.errors import DamagedDatasetError

# UTF-32 first: its mark begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NOT_ASCII = re.compile(rb"[\x80-\xff]+")
# Without a mark, every other byte of text in Latin letters is 0.
WITHOUT_MARK = {
    re.compile(rb"[^\0]\0[^\0]\0", re.DOTALL): "utf-16-le",
    re.compile(rb"\0[^\0]\0[^\0]", re.DOTALL): "utf-16-be",
}


def encoding(head: bytes) -> tuple[str, int]:
    """Return the encoding that the first bytes of a file indicate, by default UTF-8, and the length of its mark.

    Args:
        head: The first bytes.
    """
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name, len(mark)
    for sign, name in WITHOUT_MARK.items():
        if sign.match(head):
            return name, 0
    return "utf-8", 0


def decode(content: bytes, place: str, *, latin1: bool = False) -> str:
    """Return the text of a file, with line feeds as line ends.

    Args:
        content: The content of the file.
        place: The name of the file in messages.
        latin1: Whether to use Latin-1 if the file can only be that, as in GroupLens' older releases.

    Raises:
        DamagedDatasetError: The file is not in its encoding. The message names the line.
    """
    name, mark = encoding(content)
    try:
        text = content[mark:].decode(name)
    except UnicodeDecodeError as error:
        if not latin1 or not _is_latin1(content):
            raise DamagedDatasetError(_complaint(error, place, name)) from error
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_latin1(content: bytes) -> bool:
    """Return whether all letters are Latin-1 and none is UTF-8. A file with both is damaged UTF-8."""
    runs = NOT_ASCII.findall(content)
    return not any(_is_utf8(run) or any(byte < 0xA0 for byte in run) for run in runs)  # noqa: PLR2004 - the first letter


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _complaint(error: UnicodeDecodeError, place: str, name: str) -> str:
    before = error.object[: error.start].decode(name, errors="replace")
    line = len(re.findall(r"\r\n|\n|\r", before)) + 1
    found = error.object[error.start : error.end].hex(" ")
    return f"{place}, line {line}: expected text in {name.upper()}, found the bytes {found}: save the file as UTF-8"
