"""The pictures of the MovieLens page in `docs/images`: `make screenshots`, which needs the tests' environment.

- ``__main__``: the command: a stack with real ratings, and the pictures of it.
- ``history``: two years of days and rankings, written without Airflow because that takes less time.
- ``pictures``: what is in the pictures.
"""
