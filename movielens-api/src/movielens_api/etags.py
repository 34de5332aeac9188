"""Entity tags: whether a client has an answer already (RFC 9110, sections 8.8.3 and 13.1.2)."""

import re
from hashlib import blake2b

import polars as pl

from movielens_api import __version__

# Another version may write the same rows in other bytes.
WRITER = f"movielens-api {__version__}, polars {pl.__version__}"
OPAQUE = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def etag(*parts: object) -> str:
    """Return the strong tag of an answer that depends on these and nothing else."""
    return f'"{blake2b(repr((WRITER, *parts)).encode(), digest_size=12).hexdigest()}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Tell whether an `If-None-Match` header names the tag; weakly, as the standard has it."""
    return if_none_match.strip() == "*" or tag in OPAQUE.findall(if_none_match)
