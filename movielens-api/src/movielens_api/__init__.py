"""A ratings REST API on real MovieLens data."""

__version__ = "0.2.0"
