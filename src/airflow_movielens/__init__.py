"""Apache Airflow provider for the MovieLens ratings API."""

from __future__ import annotations

__version__ = "0.2.0"
