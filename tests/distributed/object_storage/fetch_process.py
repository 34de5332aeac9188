"""A fetch to object storage in a separate process: ``python -m distributed.object_storage.fetch_process API URL …``.

The other arguments are how many rows a part has, how often pages are saved before their part ends, and how many
requests are in flight.
"""

from __future__ import annotations

import sys

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import fetch_ratings
from airflow_movielens.client.settings import Tuning
from airflow_movielens.storage.object_output import ObjectOutput

PAGE, PART, IN_FLIGHT = 50, 100, 16


def fetch(server, output, part_rows=PART, early_share=0.0, in_flight=IN_FLIGHT):
    # Parts do not end earlier on a busy machine.
    tuning = Tuning(part_rows=int(part_rows), part_seconds=3600.0, early_share=float(early_share))
    with MovielensClient(server, page_size=PAGE, concurrency=int(in_flight), tuning=tuning) as client:
        return fetch_ratings(client, Window.of("1970-01-02", "1970-01-03"), output)


if __name__ == "__main__":
    fetch(sys.argv[1], ObjectOutput(sys.argv[2]), *sys.argv[3:])
