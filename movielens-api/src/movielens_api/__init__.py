"""A ratings REST API on real MovieLens data."""

__version__ = "0.1.0"
