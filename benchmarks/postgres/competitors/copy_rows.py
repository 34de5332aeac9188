"""COPY of one row after the other by psycopg 3."""

from __future__ import annotations

import psycopg

from benchmarks.postgres.job import NAMES, Job, do


def _load(job: Job) -> None:
    with (
        psycopg.connect(job.url) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ratings ({NAMES}) FROM STDIN") as copy,
    ):
        for row in job.ratings().iter_rows():
            copy.write_row(row)


if __name__ == "__main__":
    do(_load)
