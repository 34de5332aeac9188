"""Random texts of envelopes and NDJSON: mostly valid, written in every way that JSON allows, with a few faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from airflow_movielens.ratings.schema import Table

SPACES = ["", "", "", " ", "\n", "\r\n", "\t  "]
NO_SPACES = ["\x0b", "\x0c", "\xa0", "\0", "//", "\ufeff"]
STRINGS = [
    "",
    "x",
    "Ünïcode ☃ 😀",
    'a "quote"',
    "back\\slash",
    "a\nb",
    "]}",
    "a,b:c",
    '},{"userId":1',
    "\x7f",
    "\ud800",
]
STRINGS_AS_TEXT = ['"\\u0041\\/\\b"', '"\\ud83d\\ude00"']
NUMBERS = ["0", "-0", "7", "-1", "1E3", "2e-1", "-0.0", "3.25", "2147483648", "9" * 25, "9" * 4300, "1e999"]
FAULTS = [
    '"\\ud800"', '"\\x"', '"\\u00"', '"\x01"', '"\n"', '"\udcff"', '"\\"', "'a'", "NaN", "Infinity", "-Infinity", "nul", "True",
    "007", "-01", "1.", ".5", "+1", "- 1", "1e", "1e+", "0x1", "1_0", "--1", "1 2", "9" * 4301,
    "[1,]", "[,]", '{"a"}', "{1:2}", '{"a":1,}', "",
]  # fmt: skip
KEYS = ["more", "b", "", "☃", "a b", "movieid", "title", "first", "\\ud83d\\ude00"]
ODD_KEYS = ["userId", "movieId", "user\\u0049d", "rat\\u0069ng", "\\x", "\\ud800", "\udcff"]
STARS = ["0.5", "1.0", "1.5", "3.5", "5.0", "4", "5", "1e0", "45E-1", "2.50"]
BYTES = [*(bytes([byte]) for byte in b'0123456789.-+eE ,:{}[]"\n\r\tauI\\\xff\0'), b"", b"},{", b"}\n{", b"null"]
MAX_DEPTH = 3


class OddJson:
    """A writer of the texts.

    Args:
        random: What decides.
        table: The table of the rows.
    """

    def __init__(self, random: Random, table: Table) -> None:
        self.random, self.table = random, table
        self.faults = random.choice([0.0, 0.0, 0.002, 0.02])
        self.spaces = random.choice([[""], [" "], SPACES])
        self.ensure_ascii = random.random() < 0.5

    def envelope(self) -> bytes:
        """Return an envelope."""
        rows = ",".join(self.spaced(self.row(number)) for number in range(self.random.randrange(5)))
        pairs = [("result", f"[{rows}]"), ("total", self.either(["7", "null", "0"], FAULTS + STARS))]
        keys = [
            self.either(["offset", "links"], ["result", "total", "res\\u0075lt"])
            for _ in range(self.random.randrange(3))
        ]
        text = self.object([*pairs, *((key, self.value()) for key in keys)])
        return self.damaged(
            self.either([""], ["\ufeff", "[", ","]) + self.spaced(text) + self.either([""], ["}", "x", "{}"])
        )

    def lines(self) -> bytes:
        """Return lines of NDJSON."""
        self.spaces = (
            [space for space in self.spaces if "\n" not in space] if self.random.random() < 0.9 else self.spaces
        )
        end = self.random.choice(["\n", "\n", "\r\n", " \n"])
        ends = ["", " ", ",", "\r", "\n\n", "\n\x0b\n", "\x0b\n", "\n\x0c", "\n \r\n", "\n\ufeff"]
        rows = [self.row(number) + self.either([end], ends, 5) for number in range(self.random.randrange(1, 6))]
        return self.damaged(self.either([""], ["\ufeff", " ", "\n"]) + "".join(rows))

    def row(self, number: int) -> str:
        """Return a row after that of the number before."""
        pairs = []
        for column in self.table.columns:
            in_order = column.name in {self.table.key[0], "timestamp"}
            good = [str(number)] if in_order else self.good_values(column.types, column.values is not None)
            odd_names = [f"\\u{ord(column.name[0]):04x}{column.name[1:]}", column.name.upper(), f"{column.name} "]
            pairs.append(
                (self.either([column.name], odd_names), self.either(good, [*FAULTS, *NUMBERS, "null", "true", '"4"']))
            )
        pairs += [(self.either(KEYS, ODD_KEYS), self.value()) for _ in range(self.random.choice([0, 0, 1, 2]))]
        return self.either([self.object(pairs)], ["{}", "null", "7", "[1,2,3.0,4]", '"x"', self.object(pairs[:2])])

    def good_values(self, types: frozenset[type], are_stars: bool) -> Sequence[str]:  # noqa: FBT001
        if are_stars:
            return STARS
        good = [self.string()] if str in types else [str(self.random.randrange(2**31)), "-7", "0", "-0"]
        return [*good, "null"] if type(None) in types else good

    def object(self, pairs: list[tuple[str, str]]) -> str:
        if self.random.random() < 0.3:
            self.random.shuffle(pairs)
        return "{" + ",".join(self.spaced(f'"{key}"') + ":" + self.spaced(value) for key, value in pairs) + "}"

    def value(self, depth: int = 0) -> str:
        """Return any value."""
        kinds: list[Callable[[], str]] = [self.string, lambda: self.random.choice([*NUMBERS, "null", "true", "false"])]
        if depth < MAX_DEPTH:
            kinds.append(lambda: "[" + ",".join(self.spaced(value) for value in self.values(depth)) + "]")
            kinds.append(lambda: self.object([(self.random.choice(KEYS), value) for value in self.values(depth)]))
        return self.either([self.random.choice(kinds)()], FAULTS)

    def values(self, depth: int) -> list[str]:
        return [self.value(depth + 1) for _ in range(self.random.randrange(3))]

    def string(self) -> str:
        text = self.random.choice([*STRINGS_AS_TEXT, *STRINGS])
        # Python writes lone surrogates as they are, in an encoding of its own.
        return text if text in STRINGS_AS_TEXT else json.dumps(text, ensure_ascii=self.ensure_ascii or "\ud800" in text)

    def spaced(self, text: str) -> str:
        return self.either(self.spaces, NO_SPACES) + text + self.either(self.spaces, NO_SPACES)

    def either(self, usual: Sequence[Any], unusual: Sequence[Any], times: float = 1) -> Any:
        return self.random.choice(unusual if self.random.random() < times * self.faults else usual)

    def damaged(self, text: str) -> bytes:
        """Return the bytes of a text, sometimes with a few of them changed."""
        content = text.encode(errors="surrogateescape")
        for _ in range(self.random.choice([0, 0, 0, 0, 1, 3]) if self.faults else 0):
            place, removed = self.random.randrange(len(content) + 1), self.random.randrange(4)
            content = content[:place] + self.random.choice(BYTES) + content[place + removed :]
        return content
