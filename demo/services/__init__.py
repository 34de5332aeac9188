"""Servers that the stack and the tests start: from packages, without Docker, on ports of their own.

- `service`: what all of them have in common, and one that runs for as long as a block of code.
- `selection`: the services that a stack is asked for, and what Airflow must know of them.
- `postgres`: PostgreSQL, Airflow's database with the Celery executor.
- `valkey`: Valkey, the broker of Celery.
- `s3`: SeaweedFS, object storage with the API of S3.
"""
