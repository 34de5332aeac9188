"""Read text files in blocks of whole lines as UTF-8, whatever their compression, encoding and line ends."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_movielens.ratings.paths import Compression

_BLOCK = 1 << 22
_MAX_LINE_LENGTH = 1 << 26
# UTF-32 first: its byte order mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Without a byte order mark, every other byte of Latin text is 0.
_WITHOUT_MARK = {
    re.compile(rb"[^\0]\0[^\0]\0", re.DOTALL): "utf-16-le",
    re.compile(rb"\0[^\0]\0[^\0]", re.DOTALL): "utf-16-be",
}
_OTHER_CONTENT = {
    b"\x1f\x8b": "is compressed with gzip: its name must end in .gz",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: its name must end in .zst",
    b"PAR1": "is a Parquet file: its name must end in .parquet",
    b"PK\x03\x04": "is a zip or an Excel workbook: unpack it, or save it as CSV",
}


def text_blocks(path: Path, compression: Compression) -> Iterator[tuple[int, bytes]]:
    """Yield a text file block by block; memory use does not grow with the file.

    Args:
        path: The file: UTF-8, or UTF-16 or UTF-32, with a mark or without; its lines end in LF, CR LF or CR.
        compression: The compression of the whole file.

    Returns:
        Blocks of whole lines in UTF-8, the last line with its line feed too, each with the number of its first line.
        CR line ends have become line feeds; of CR LF both are still there.

    Raises:
        ValueError: The file is not such a text; the message names the line where there is one.
        OSError: The file cannot be read or decompressed.
    """
    line, has_line_feeds = 1, None
    for block in _whole_lines(_in_utf8(_decompressed(path, compression))):
        if has_line_feeds is None:
            first_line = block.partition(b"\n")[0].removesuffix(b"\r")
            has_line_feeds = b"\r" not in first_line
        text = block if has_line_feeds else block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        _check_characters(text, line)
        yield line, text
        line += text.count(b"\n")


def whole_text(path: Path, compression: Compression, most: int | None = None) -> bytes:
    """Return a whole text file as UTF-8, with its line ends unchanged; errors as in `text_blocks`.

    Args:
        path: The file.
        compression: The compression of the whole file.
        most: How many bytes of text it may have; a larger one is a ValueError. None for no limit.
    """
    blocks, size = [], 0
    for block in _in_utf8(_decompressed(path, compression)):
        blocks.append(block)
        size += len(block)
        if most is not None and size > most:
            raise ValueError(f"it has more than {most:,} bytes of text")
    text = b"".join(blocks)
    _check_characters(text, 1)
    return text


def is_plain(path: Path, compression: Compression) -> bool:
    """Return whether a file begins like UTF-8 without a byte order mark whose lines end in LF or CR LF."""
    head = next(_decompressed(path, compression), b"")
    return _encoding(head) == ("utf-8", 0) and b"\r" not in head.partition(b"\n")[0].removesuffix(b"\r")


def _decompressed(path: Path, compression: Compression) -> Iterator[bytes]:
    if compression != "uncompressed" and not path.stat().st_size:
        raise OSError(f"its {compression} is cut: it has no bytes")
    if compression == "zstd":
        yield from _lines_of_zstd(path)
        return
    try:
        with path.open("rb") if compression == "uncompressed" else gzip.open(path) as file:
            while block := file.read(_BLOCK):
                yield block
    except (EOFError, zlib.error) as error:
        raise OSError(f"its gzip is cut or damaged ({error})") from error


def _lines_of_zstd(path: Path) -> Iterator[bytes]:
    import polars as pl

    # Python supports zstd from 3.14.
    for lines in pl.scan_lines(path, glob=False).collect_batches(chunk_size=100_000, maintain_order=True):
        if len(lines):
            yield "\n".join(lines.to_series()).encode() + b"\n"


def _in_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = None
    for number, block in enumerate(blocks):
        text = block
        if number == 0:
            encoding, mark = _encoding(block)
            text = block[mark:]
            if encoding != "utf-8":
                decoder = codecs.getincrementaldecoder(encoding)()
        yield text if decoder is None else _decode(decoder, text)
    if decoder is not None:
        _decode(decoder, b"", final=True)


def _encoding(head: bytes) -> tuple[str, int]:
    for sign, found in _OTHER_CONTENT.items():
        if head.startswith(sign):
            raise ValueError(f"the file {found}")
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name, len(mark)
    return next((name for sign, name in _WITHOUT_MARK.items() if sign.match(head)), "utf-8"), 0


def _decode(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bytes:
    try:
        return decoder.decode(block, final).encode()
    except UnicodeError as error:
        raise ValueError(
            f"the text is not in {getattr(error, 'encoding', 'its encoding')}: save the file as UTF-8"
        ) from error


def _whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        text = held + block
        # A CR at the end may be half of CR LF.
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        held = text[end:]
        if len(held) > _MAX_LINE_LENGTH:
            raise ValueError(f"a line is longer than {_MAX_LINE_LENGTH:,} bytes")
        if end:
            yield text[:end]
    if held:
        yield held + (b"" if held.endswith(b"\r") else b"\n")


def _check_characters(text: bytes, first_line: int) -> None:
    wrong = text.find(b"\0")
    if wrong >= 0:
        raise ValueError(
            f"line {first_line + text.count(bytes([10]), 0, wrong)}: found a null character (NUL), expected text"
        )
    try:
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        line = first_line + text.count(b"\n", 0, error.start)
        found = text[error.start : error.end].hex(" ")
        raise ValueError(
            f"line {line}: found the bytes {found}, expected text in UTF-8: save the file as UTF-8"
        ) from error
