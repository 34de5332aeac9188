"""dlt: its REST source into its filesystem destination, as JSONL; extract, normalise and load with its defaults."""

from __future__ import annotations

import os
from pathlib import Path

# No telemetry.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source

from benchmarks.client.job import Job, do


def _fetch(job: Job) -> None:
    client = {"base_url": job.url, "auth": {"type": "http_basic", "username": job.user, "password": job.password}}
    endpoint = {
        "path": "ratings",
        "params": {"start_date": job.start, "end_date": job.end},
        "data_selector": "result",
        "paginator": {"type": "offset", "limit": job.limit, "total_path": "total"},
    }
    source = rest_api_source({"client": client, "resources": [{"name": "ratings", "endpoint": endpoint}]})
    folder = Path(job.output)
    pipeline = dlt.pipeline(
        "ratings",
        pipelines_dir=str(folder / "working"),
        destination=filesystem(bucket_url=str(folder / "loaded")),
        dataset_name="api",
    )
    pipeline.run(source, loader_file_format="jsonl")


if __name__ == "__main__":
    do(_fetch)
