"""Airflow with PostgreSQL as its database, Valkey as the broker, two of Celery's workers, and object storage."""
