"""Posted ratings, kept safe: a log in SQLite over a sorted base, in versions that any process can read."""

from __future__ import annotations

from movielens_api.store.store import Store

__all__ = ["Store"]
