"""What stops a benchmark."""


class BenchmarkError(Exception):
    """A message for whoever runs it: what is missing or wrong, and what to do."""
