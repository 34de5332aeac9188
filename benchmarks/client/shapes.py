"""The shapes of JSON in which servers send ratings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import numpy.typing as npt

TITLES = (
    '"Toy Story (1995)"',
    '"American President, The (1995)"',
    r'"{Proof}, or \"The Truth\": a film in 3 acts (2005)"',
    '"Fabuleux destin d\'Amélie Poulain, Le (2001)"',
    r'"\"Great Performances\" Cats, [live], 10:30 (1998)"',
)
DEVICES = ("null", '{"os":"Android","versions":[13,4]}', "null", '{"os":"iOS","versions":[]}', "null", "null")


@dataclass(frozen=True)
class Shape:
    """How a server writes pages.

    Attributes:
        before: The text before the rows of a page.
        between: The text between two rows.
        after: The text after the rows, with places for ``offset``, ``limit`` and ``total``.
        convert: Makes lines of this shape from lines of compact objects.
    """

    before: bytes
    between: bytes
    after: bytes
    convert: Callable[[bytes], bytes]

    def write(self, lines: bytes) -> tuple[bytes, npt.NDArray[np.int64]]:
        """Write rows, each followed by ``between``.

        Args:
            lines: The rows as lines of compact objects.

        Returns:
            The text, and the start of each row and the end of the last one.
        """
        converted = self.convert(lines)
        ends = 1 + np.flatnonzero(np.frombuffer(converted, np.uint8) == ord("\n"))
        ends += np.arange(1, len(ends) + 1) * (len(self.between) - 1)
        return converted.replace(b"\n", self.between), np.concatenate([[0], ends])


def _spaced(lines: bytes) -> bytes:
    # Compact rows consist of keys and numbers.
    return lines.replace(b":", b": ").replace(b",", b", ")


def _widened(lines: bytes) -> bytes:
    return b"".join(_widened_rows(lines.splitlines()))


def _widened_rows(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Yield rows with a title before the rating, and a device, which is an object or null, at the end."""
    for line, title, device in zip(lines, cycle(TITLES), cycle(DEVICES), strict=False):
        before, rating, after = line.removesuffix(b"}").partition(b'"rating":')
        yield b'%b"title":%b,%b%b,"device":%b}\n' % (before, title.encode(), rating, after, device.encode())


BEFORE, AFTER = b'{"result":[', b'],"offset":%d,"limit":%d,"total":%d}'
COMPACT, SPACED, WIDENED = "compact", "spaced", "widened"
SHAPES = {
    COMPACT: Shape(BEFORE, b",", AFTER, lambda lines: lines),
    # As `json.dumps` writes it.
    SPACED: Shape(b'{"result": [', b", ", b'], "offset": %d, "limit": %d, "total": %d}', _spaced),
    WIDENED: Shape(BEFORE, b",", AFTER, _widened),
}
