"""Names of the files that are kept for a dataset."""

import hashlib
import re
from pathlib import Path


def file_name(path: Path) -> str:
    """Return a name for what is kept for a path: readable, and another one for every other path."""
    whole = path.resolve()
    readable = re.sub(r"[^\w.-]", "_", whole.name.removesuffix(".zip"))
    return f"{readable[:60]}-{digest(str(whole), 8)}"


def digest(text: str, length: int) -> str:
    """Return the first hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:length]
