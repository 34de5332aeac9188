"""Apache Airflow provider for the MovieLens ratings API."""

__version__ = "0.2.0"
