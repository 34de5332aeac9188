"""JSON of files that others may have written to."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def parse_json(content: bytes | str) -> Any:
    """Return the value of JSON.

    Raises:
        ValueError: It is no JSON, or is nested too deeply.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass  # The parser of the standard library reads more, such as NaN, and says where the content is wrong.
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
