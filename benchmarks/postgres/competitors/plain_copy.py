"""COPY of the whole file as CSV, written by Polars, into a table without a key, which is made afterwards."""

from __future__ import annotations

import psycopg

from benchmarks.postgres.job import KEY, NAMES, Job, do


def _load(job: Job) -> None:
    with psycopg.connect(job.url) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY ratings ({NAMES}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(job.ratings().write_csv(include_header=False))
        cursor.execute(f"ALTER TABLE ratings ADD PRIMARY KEY ({KEY})")


if __name__ == "__main__":
    do(_load)
