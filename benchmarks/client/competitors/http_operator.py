"""Airflow's HttpOperator with a `pagination_function`; its `response_filter` writes the file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.http.operators.http import HttpOperator
from requests import Response

from benchmarks.client.job import Job, do


def _fetch(job: Job) -> None:
    url = urlsplit(job.url)
    connection = {
        "conn_type": "http",
        "host": f"{url.scheme}://{url.hostname}",
        "port": url.port,
        "login": job.user,
        "password": job.password,
    }
    os.environ["AIRFLOW_CONN_RATINGS_API"] = json.dumps(connection)
    window = {"start_date": job.start, "end_date": job.end}

    def next_page(response: Response) -> dict[str, Any] | None:
        page = response.json()
        offset = page["offset"] + page["limit"]
        return {"data": {"offset": offset}} if offset < page["total"] else None

    def write(responses: list[Response]) -> int:
        ratings = [rating for response in responses for rating in response.json()["result"]]
        with Path(job.output).open("w", encoding="utf-8") as file:
            json.dump(ratings, file)
        return len(ratings)

    operator = HttpOperator(
        task_id="fetch",
        http_conn_id="RATINGS_API",
        method="GET",
        endpoint=f"{url.path}/ratings",
        data={**window, "offset": 0, "limit": job.limit},
        pagination_function=next_page,
        response_filter=write,
    )
    operator.execute({})


if __name__ == "__main__":
    do(_fetch)
