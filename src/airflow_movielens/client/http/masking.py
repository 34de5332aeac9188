"""Masking of the credentials in what a server says, however it wrote them.

A server may repeat a password as it was sent, in another case, split over lines, percent-encoded, escaped for HTML or
JSON, in base64 or in hexadecimal. So the text and the credentials are compared in one form: decoded, in lower case and
without what separates characters.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_movielens.client.secret import HIDDEN, reveal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_movielens.client.settings import ClientSettings

_SHORTEST = 4
"""A shorter password occurs in too many words to be hidden."""
_SHORTEST_BASE64 = 6
_SHORTEST_IN_LINK = 8
"""A shorter one may occur in a cursor by chance."""
_SECRET_PARAMETER = re.compile(r"(?i)([?&](?:\w*token|\w*passw(?:or)?d|\w*secret|api_?key|auth\w*|signature)=)[^&#\s]+")
_WORDS_OF_SECRETS = ("token", "passw", "secret", "key", "auth", "gnature")
"""Each parameter that `_SECRET_PARAMETER` finds has one of these; it takes a dotless i for an i."""
_CREDENTIALS_IN_URL = re.compile(r"(?i)(\bhttps?://)[^\s/?#@]+@")

_ELLIPSIS = "\u2026"
_MOST_CUTS = 20
_MAX_ROUNDS = 6
"""How often something is encoded at most."""
_PERCENT = r"%(?:25)*([0-9a-f]{2})"
_UNICODE = r"\\u[0-9a-f]{4}"
_ENCODED = re.compile(
    rf"(?P<percent>(?:{_PERCENT})+)|(?P<html>&(?:amp;)*(?:#x?[0-9a-f]+|[a-z][a-z0-9]*);)"
    rf"|(?P<unicode>(?:{_UNICODE})+)|(?P<bytes>(?:\\x[0-9a-f]{{2}})+)|\\(?P<escaped>[nrt\"'\\/])"
    rf"|(?P<cut>(?:&(?:amp;)*#?\w{{0,8}}|%(?:25)*\w?|\\\w{{0,4}})(?={_ELLIPSIS}))",
    re.IGNORECASE,
)
_MARKS = f"%;\\{_ELLIPSIS}"
"""Each of what `_ENCODED` finds has one of these characters."""
_NO_CHARACTERS = str.maketrans("", "", "?\ufffd")
_ESCAPED_SPACES = {"n": " ", "r": " ", "t": " "}
# White space, control characters and invisible ones; + is a space in a form, and - a + in the base64 of URLs.
_SEPARATORS = re.compile(r"[\s+\-\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")


class Secrets:
    """The credentials of a client.

    Args:
        settings: The client's settings.
        proxy: The proxy's URL, which may hold credentials; None if there is no proxy.
    """

    def __init__(self, settings: ClientSettings, proxy: str | None = None) -> None:
        given = [("", reveal(settings.token)), (settings.user or "", reveal(settings.password))]
        if proxy:
            parts = urlsplit(proxy)
            given.append((unquote(parts.username or ""), unquote(parts.password or "")))
        texts = {secret for _, secret in given if len(secret) >= _SHORTEST}
        forms = {_plain(form) for user, secret in given for form in _forms(user, secret)}
        # The longest first, because one may contain another.
        self._texts = sorted(texts, key=len, reverse=True)
        self._plain_forms = sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return the text with the credentials replaced, in whatever form they are written."""
        for secret in self._texts:
            text = text.replace(secret, HIDDEN)
        plain = _plain(text)
        if _ELLIPSIS in plain or any(form in plain for form in self._plain_forms):
            text = self._hide_forms(text)
        return hide_in_url(text)

    def are_in_link(self, url: str, requested: str) -> bool:
        """Return whether a URL that a server sent has a credential, of 8 characters or more, that we did not write.

        Args:
            url: The URL that the server sent.
            requested: The URL to which it responded: a password may be a word that is in each URL, such as the host.
        """
        sent, ours = _plain(url), _plain(requested)
        return any(form in sent and form not in ours for form in self._plain_forms if len(form) >= _SHORTEST_IN_LINK)

    def hide_in(self, value: Any) -> Any:
        """Return a value that JSON can hold with the credentials replaced in all of its texts."""
        try:
            return self._hide_in(value)
        except RecursionError:
            return HIDDEN

    def _hide_in(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, dict):
            return {self._hide_in(name): self._hide_in(inner) for name, inner in value.items()}
        return type(value)(map(self._hide_in, value)) if type(value) in (list, tuple) else value

    def _hide_forms(self, text: str) -> str:
        plain, places = _plain_with_places(text)
        pieces, end = [], 0
        for first, last in sorted((places[start][0], places[beyond - 1][1]) for start, beyond in self._found(plain)):
            if first >= end:
                pieces += [text[end:first], HIDDEN]
            end = max(end, last)
        return "".join([*pieces, text[end:]])

    def _found(self, plain: str) -> Iterator[tuple[int, int]]:
        """Yield where credentials begin and end, also those that an ellipsis cuts off."""
        for form in self._plain_forms:
            yield from (
                (match.start(), match.start() + len(form)) for match in re.finditer(f"(?={re.escape(form)})", plain)
            )
            for cut in [match.start() for match in re.finditer(_ELLIPSIS, plain)][-_MOST_CUTS:]:
                sizes = range(len(form) - 1, _SHORTEST - 1, -1)
                if size := next((size for size in sizes if plain.endswith(form[:size], 0, cut)), 0):
                    yield cut - size, cut


def hide_in_url(url: str) -> str:
    """Return the URL without its user, password and parameters that look like credentials."""
    folded = url.casefold()
    # Regular expressions would take longer: most texts, such as the URL of each request, have none of these.
    if "@" not in folded and not any(word in folded for word in _WORDS_OF_SECRETS):
        return url
    return _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", _CREDENTIALS_IN_URL.sub(r"\1", url))


def _forms(user: str, secret: str) -> Iterable[str]:
    """Yield a password or token as it is, and as base64 and hexadecimal digits, also in the middle of other text."""
    if secret:
        yield b64encode(f"{user}:{secret}".encode()).decode().rstrip("=")
    if len(secret) >= _SHORTEST:
        content = secret.encode()
        yield from _misread(secret)
        yield content.hex()
        yield b64encode(content).decode().rstrip("=")
        for before in range(3):
            # The digits that do not depend on the bytes before and after.
            first, last = -(-8 * before // 6), 8 * (before + len(content)) // 6
            digits = b64encode(bytes(before) + content).decode()[first:last]
            if len(digits) >= _SHORTEST_BASE64:
                yield digits


def _misread(secret: str) -> Iterator[str]:
    """Yield a password as it is, and as servers write it that take UTF-8 for another encoding, or lack characters."""
    content = secret.encode()
    misread = [content.decode(encoding, "replace") for encoding in ("latin-1", "cp1252")]
    lacking = [secret.encode(encoding, "replace").decode("utf-8", "replace") for encoding in ("latin-1", "ascii")]
    yield secret
    for written in (*misread, *lacking):
        if len(written.translate(_NO_CHARACTERS)) >= _SHORTEST:
            yield written


def _plain(text: str) -> str:
    """Return text in the form in which it is compared: decoded until nothing is left to decode."""
    text = _comparable(text)
    # A regular expression would take longer: most texts, such as the URL of each request, have none of these.
    if not any(mark in text for mark in _MARKS):
        return text
    for _ in range(_MAX_ROUNDS):
        before, text = text, _comparable(_ENCODED.sub(_decoded, text))
        if text == before:
            break
    return text


def _plain_with_places(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return what `_plain` returns, and where the characters of the text are that each of its characters stands for."""
    places = [(at, at + 1) for at in range(len(text))]
    for _ in range(_MAX_ROUNDS):
        found = [(character, place) for part, place in _decoded_parts(text, places) for character in _comparable(part)]
        text, places = "".join(character for character, _ in found), [place for _, place in found]
    return text, places


def _decoded_parts(text: str, places: list[tuple[int, int]]) -> Iterator[tuple[str, tuple[int, int]]]:
    at = 0
    for encoded in _ENCODED.finditer(text):
        yield from zip(text[at : encoded.start()], places[at : encoded.start()], strict=True)
        at = encoded.end()
        yield _decoded(encoded), (places[encoded.start()][0], places[at - 1][1])
    yield from zip(text[at:], places[at:], strict=True)


def _comparable(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold()).replace("_", "/")


def _decoded(encoded: re.Match[str]) -> str:
    whole, kind = encoded.group(), encoded.lastgroup
    if kind == "percent":
        return _text_of("".join(re.findall(_PERCENT, whole, re.IGNORECASE)))
    if kind == "html":
        return unescape(re.sub("&(amp;)+(?=.)", "&", whole, flags=re.IGNORECASE))
    if kind == "unicode":
        return str(json.loads(f'"{whole.lower()}"'))
    if kind == "cut":
        return ""
    if kind == "bytes":
        return _text_of(whole.lower().replace("\\x", ""))
    return _ESCAPED_SPACES.get(encoded["escaped"].lower(), encoded["escaped"])


def _text_of(digits: str) -> str:
    """Return the text of bytes in hexadecimal digits: UTF-8, or else Latin-1."""
    content = bytes.fromhex(digits)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
