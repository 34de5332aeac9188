"""What stops a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A message for whoever runs it: what is missing or wrong, and what to do."""
