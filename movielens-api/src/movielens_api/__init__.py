"""A ratings REST API on real MovieLens data."""

from __future__ import annotations

__version__ = "0.2.0"
