"""``executemany`` of psycopg2, which sends one row after the other, in one transaction."""

from __future__ import annotations

import psycopg2

from benchmarks.postgres.job import NAMES, Job, do


def _load(job: Job) -> None:
    with psycopg2.connect(job.url) as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO ratings ({NAMES}) VALUES (%s, %s, %s, %s)", job.ratings().rows())  # noqa: S608


if __name__ == "__main__":
    do(_load)
