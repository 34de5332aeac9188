"""A file in pieces of whole lines. A line may have 64 KiB, so a small zip cannot fill the memory with one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from movielens_api.errors import DamagedDatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from movielens_api.datasets.source import Readable

MAX_LENGTH = 1 << 16
_QUOTED = 40
_MAX_EMPTY = 1 << 20


def skip_header(file: Readable, place: str, lines: int) -> None:
    """Skip the first lines of a file.

    Args:
        file: The file.
        place: The name of the file in messages.
        lines: How many lines to skip.

    Raises:
        DamagedDatasetError: A line is too long.
    """
    for line in range(1, lines + 1):
        _end_of_line(file, place, line, b"")


def pieces(file: Readable, place: str, first_line: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of a file, each with the number of its first line, without the empty lines at the end of the file.

    Args:
        file: The file.
        place: The name of the file in messages.
        first_line: The number of the line at which the file is.
        size: The number of bytes in a piece. Further bytes complete its last line.

    Raises:
        DamagedDatasetError: A line is too long.
    """
    line, held = first_line, b""
    while content := file.read(size):
        content = held + content
        if not content.endswith(b"\n"):
            begun = content[content.rfind(b"\n") + 1 :]
            content += _end_of_line(file, place, line + content.count(b"\n"), begun)
        kept = content if len(held) > _MAX_EMPTY else _without_empty_lines(content)
        held = content[len(kept) :]
        if kept:
            yield line, kept
            line += kept.count(b"\n")


def cut(content: bytes, first_line: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield smaller pieces of a piece, each with the number of its first line.

    Args:
        content: The piece.
        first_line: The number of its first line.
        size: The number of bytes in a smaller piece. Further bytes complete its last line.
    """
    line, start = first_line, 0
    while start < len(content):
        end = content.find(b"\n", start + size - 1) + 1 or len(content)
        yield line, content[start:end]
        line += content.count(b"\n", start, end)
        start = end


def refuse(place: str, line: int, found: bytes) -> NoReturn:
    """Raise the error for a line that is too long, or contains several rows.

    Raises:
        DamagedDatasetError: Always.
    """
    length = f"more than {MAX_LENGTH:,}" if len(found) > MAX_LENGTH else f"{len(found):,}"
    raise DamagedDatasetError(
        f"{place}, line {line}: expected one rating, found {length} bytes without a line feed that begin with "
        f"{found[:_QUOTED]!r}"
    )


def _end_of_line(file: Readable, place: str, line: int, begun: bytes) -> bytes:
    rest = file.readline(MAX_LENGTH + 1)
    if len(begun) + len(rest) > MAX_LENGTH and not rest.endswith(b"\n"):
        refuse(place, line, begun + rest)
    return rest


def _without_empty_lines(content: bytes) -> bytes:
    if not content.endswith((b"\n\n", b"\n\r\n")) and content not in {b"\n", b"\r\n"}:
        return content
    lines = content.rstrip(b"\r\n")
    return content[: content.find(b"\n", len(lines)) + 1] if lines else b""
