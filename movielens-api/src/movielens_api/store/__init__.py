"""Posted ratings, kept durably: a log in SQLite over a sorted base, in versions that any process can read.

- ``store``: the store, as the rest of the server uses it.
- ``writer``: the thread that commits posts.
- ``idempotency``: results of requests with an ``Idempotency-Key``.
- ``log``: the posted rows in order.
- ``generations``: sorted bases, and the leases that keep them.
- ``compaction``: writes a new base when the log is long.
- ``versions``, ``snapshot_cache``: the versions of the ratings in this process.
- ``database``, ``opening``: the SQLite file, its tables, and the checks at the start.
"""

from __future__ import annotations

from movielens_api.store.store import Store

__all__ = ["Store"]
