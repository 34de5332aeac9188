"""Sizes at which the client reads and decodes responses, and writes the parts of a fetch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """Sizes that bound memory and trade it for speed.

    Attributes:
        max_body_bytes: The largest body of a page, decompressed; a page of 10,000 rows has a megabyte.
        chunk_bytes: The size of the chunks in which a response is streamed.
        ndjson_bytes: How many bytes of lines are decoded at once.
        max_line_bytes: The longest line of NDJSON.
        arrow_bytes: How many bytes of record batches are decoded at once.
        arrow_rows: How many rows of record batches are decoded at once.
        min_fast_json_bytes: The shortest JSON for `fast_json`: below, the fixed cost of a CSV parser outweighs its
            speed.
        part_rows: How many rows end a part of a fetch.
        part_seconds: After how many seconds a part ends, even with fewer rows.
        part_share: The share of a fetch's time that each part takes at least, unless its rows end it: the parts of a
            long fetch become longer, so that there are never more than a few hundred.
    """

    max_body_bytes: int = 256 * 1024**2
    chunk_bytes: int = 1024**2
    ndjson_bytes: int = 1024**2
    max_line_bytes: int = 1024**2
    arrow_bytes: int = 2 * 1024**2
    arrow_rows: int = 50_000
    min_fast_json_bytes: int = 32 * 1024
    part_rows: int = 125_000
    part_seconds: float = 2.0
    part_share: float = 0.02


DEFAULT_TUNING = Tuning()
