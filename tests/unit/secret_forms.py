"""The forms in which a password may be written."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus


def in_lines(text: str, width: int = 5) -> str:
    """Split a text into lines."""
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def as_entities(text: str) -> str:
    """Write each character as a decimal entity of HTML."""
    return "".join(f"&#{ord(character)};" for character in text)


FORMS = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent in lower case": lambda text: quote(text, safe="").lower(),
    "percent of all": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "html": html.escape,
    "html twice": lambda text: html.escape(html.escape(text)),
    "html entities": as_entities,
    "hexadecimal html entities": lambda text: "".join(f"&#x{ord(character):X};" for character in text),
    "json": lambda text: json.dumps(text)[1:-1],
    "json in json": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "other case": str.swapcase,
    "lines": in_lines,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 of urls": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "base64 of the pair": lambda text: b64encode(f"user:{text}".encode()).decode(),
    "base64 of more": lambda text: b64encode(f'{{"password": "{text}"}}'.encode()).decode(),
    "base64 in lines": lambda text: in_lines(b64encode(f"user:{text}".encode()).decode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in upper case": lambda text: text.encode().hex().upper(),
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "bytes of Python": lambda text: repr(text.encode())[2:-1],
    "all bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "UTF-8 read as Windows-1252": lambda text: text.encode().decode("cp1252", "replace"),
    "Latin-1 read as UTF-8": lambda text: text.encode("latin-1", "replace").decode("utf-8", "replace"),
    "percent of Latin-1": lambda text: quote(text.encode("latin-1", "replace"), safe=""),
    "ASCII only": lambda text: text.encode("ascii", "replace").decode(),
    "spaced": " ".join,
    "invisible characters": "\u200b".join,
}
