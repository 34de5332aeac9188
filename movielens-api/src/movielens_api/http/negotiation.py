"""What a client would rather have: the headers `Accept` and `Accept-Encoding` (RFC 9110, section 12.5)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

QUALITY = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
NAMED_QUALITY = re.compile(r"q\s*(=|$)")
# One that is never closed matches up to the end of the header: to look for its end at each quote takes quadratic time.
QUOTED = re.compile(r'"(?:\\.|[^"\\])*(?:(")|\\?\Z)')
# A coding or format that nobody mentions is worse than any that somebody does.
UNMENTIONED = 0.0001


@lru_cache(maxsize=1024)
def media_type(accept: str, offered: Sequence[str]) -> str | None:
    """Choose among media types by an `Accept` header; of equally welcome ones, the first offered.

    Args:
        accept: the header; empty means that anything is welcome.
        offered: the media types there are, best first.

    Returns:
        One of those offered, or None if none is acceptable.
    """
    if not accept.strip():
        return offered[0]
    wanted = _qualities(accept)
    return _best({offer: _media_quality(offer, wanted) for offer in offered})


@lru_cache(maxsize=1024)
def coding(accept_encoding: str, offered: Sequence[str]) -> str:
    """Choose a content coding by an `Accept-Encoding` header, `identity` if no other is welcome.

    Args:
        accept_encoding: the header; empty means that none is welcome.
        offered: the codings there are, best first, without `identity`.
    """
    wanted = _qualities(accept_encoding)
    others = wanted.get("*", 0.0)
    qualities = {name: wanted.get(name, others) for name in offered}
    return _best(qualities | {"identity": wanted.get("identity", UNMENTIONED)}) or "identity"


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
    # No quoted text matters here, and commas and semicolons in it separate nothing.
    for element in QUOTED.sub(lambda quoted: '""' if quoted[1] else quoted[0], header.lower()).split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        # Of one that is named twice, what rules it out counts, in whatever order they come.
        qualities[name] = min(_quality(parameters), qualities.get(name, 1.0))
    return qualities


def _quality(parameters: list[str]) -> float:
    given = [parameter for parameter in parameters if NAMED_QUALITY.match(parameter)]
    if not given:
        return 1.0
    # What is no quality, or is given twice, is not welcome: better a clear 406 than a guess.
    quality = QUALITY.fullmatch(given[0])
    return float(quality[1]) if quality and len(given) == 1 else 0.0
