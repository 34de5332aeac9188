"""JSON as RFC 8259 has it: strictly."""

from __future__ import annotations

import json
from typing import Any


def parse(text: bytes) -> Any:
    """Parse JSON text; a byte order mark before it is passed over, as RFC 8259 allows.

    Raises:
        ValueError: It is not JSON; NaN and Infinity, which Python would take, are not.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
