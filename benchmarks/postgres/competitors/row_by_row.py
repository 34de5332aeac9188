"""One INSERT for each rating, in one transaction."""

from __future__ import annotations

import psycopg

from benchmarks.postgres.job import NAMES, Job, do


def _load(job: Job) -> None:
    with psycopg.connect(job.url) as connection, connection.cursor() as cursor:
        for row in job.ratings().iter_rows():
            cursor.execute(f"INSERT INTO ratings ({NAMES}) VALUES (%s, %s, %s, %s)", row)  # noqa: S608


if __name__ == "__main__":
    do(_load)
