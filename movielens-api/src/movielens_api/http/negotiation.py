"""Content negotiation by ``Accept`` and ``Accept-Encoding`` (RFC 9110, section 12.5)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUALITY = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
_NAMED_QUALITY = re.compile(r"q\s*(=|$)")
# An unclosed quote matches to the end of the header. Searching for its end at each quote would take quadratic time.
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*(?:(")|\\?\Z)')
# A coding or format that is not mentioned is worse than any that is.
_UNMENTIONED = 0.0001


@lru_cache(maxsize=1024)
def media_type(accept: str, offered: Sequence[str]) -> str | None:
    """Choose a media type by an ``Accept`` header. Among equally preferred ones, the first offered is chosen.

    Args:
        accept: The header. If it is empty, everything is acceptable.
        offered: The available media types, best first.

    Returns:
        One of the offered media types, or None if none is acceptable.
    """
    if not accept.strip():
        return offered[0]
    wanted = _qualities(accept)
    return _best({offer: _media_quality(offer, wanted) for offer in offered})


@lru_cache(maxsize=1024)
def coding(accept_encoding: str, offered: Sequence[str]) -> str:
    """Choose a content coding by an ``Accept-Encoding`` header, or ``identity`` if no other is acceptable.

    Args:
        accept_encoding: The header. If it is empty, no coding is acceptable.
        offered: The available codings, best first, without ``identity``.
    """
    wanted = _qualities(accept_encoding)
    others = wanted.get("*", 0.0)
    qualities = {name: wanted.get(name, others) for name in offered}
    return _best(qualities | {"identity": wanted.get("identity", _UNMENTIONED)}) or "identity"


def _best(qualities: dict[str, float]) -> str | None:
    # max returns the first of equals.
    name = max(qualities, key=lambda name: qualities[name])
    return name if qualities[name] else None


def _media_quality(offer: str, wanted: dict[str, float]) -> float:
    for ranges in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if ranges in wanted:
            return wanted[ranges]
    return 0.0


def _qualities(header: str) -> dict[str, float]:
    qualities: dict[str, float] = {}
    # Quoted text does not matter here, and commas and semicolons in it are not separators.
    for element in _QUOTED.sub(lambda quoted: '""' if quoted[1] else quoted[0], header.lower()).split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        # If a name is repeated, the lowest quality counts, in any order.
        qualities[name] = min(_quality(parameters), qualities.get(name, 1.0))
    return qualities


def _quality(parameters: list[str]) -> float:
    given = [parameter for parameter in parameters if _NAMED_QUALITY.match(parameter)]
    if not given:
        return 1.0
    # An invalid or repeated quality makes it unacceptable: a clear 406 is better than a guess.
    quality = _QUALITY.fullmatch(given[0])
    return float(quality[1]) if quality and len(given) == 1 else 0.0
