"""A first implementation: requests, page after page, a list, `json.dump`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from benchmarks.client.job import Job, do


def _fetch(job: Job) -> None:
    with requests.Session() as session:
        session.auth = (job.user, job.password)
        ratings = list(_ratings(session, job))
    with Path(job.output).open("w", encoding="utf-8") as file:
        json.dump(ratings, file)


def _ratings(session: requests.Session, job: Job) -> Iterator[dict[str, Any]]:
    offset, total = 0, 1
    while offset < total:
        params = {"start_date": job.start, "end_date": job.end, "offset": str(offset), "limit": str(job.limit)}
        response = session.get(f"{job.url}/ratings", params=params)
        response.raise_for_status()
        page = response.json()
        yield from page["result"]
        offset, total = offset + job.limit, page["total"]


if __name__ == "__main__":
    do(_fetch)
