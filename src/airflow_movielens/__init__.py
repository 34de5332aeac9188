"""Apache Airflow provider for the MovieLens ratings API."""

__version__ = "0.1.0"
