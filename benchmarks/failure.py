"""The error that ends a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A message for the user: what is missing or wrong, and what to do."""
