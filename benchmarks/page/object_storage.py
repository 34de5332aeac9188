"""A real server of S3, SeaweedFS, with a copy of the data root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.failure import BenchmarkError
from benchmarks.page.api_server import Storage
from benchmarks.servers import Server, free_port
from demo.ports import LOOPBACK

# Made by `make bench-page`.
ENVIRONMENT = Path(".venv-services/bin").absolute()
BUCKET = "movielens"
ADDRESS = f"s3://aws_default@{BUCKET}/data"
KEY, SECRET = "bench", "a-secret-of-the-benchmark"
SECONDS = 2.0
# SeaweedFS needs several servers.
PARTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")


@contextmanager
def bucket_with(folder: Path, work: Path) -> Iterator[Storage]:
    """Start a server of S3 with a bucket that has the files of a folder at `ADDRESS`, and stop it.

    Args:
        folder: The folder.
        work: A folder for the server's files.
    """
    data, config = work / "s3", work / "s3.json"
    data.mkdir()
    identity = {"name": KEY, "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    port = free_port()
    parts = [f"-{part}={free_port()}" for part in PARTS]
    options = [f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-filer", f"-dir={data}", "-master.telemetry=false"]
    s3 = ["-s3", f"-s3.port={port}", f"-s3.port.grpc={free_port()}", f"-s3.config={config}"]
    unused = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100", "-master.volumeSizeLimitMB=256"]
    command = [str(ENVIRONMENT / "weed"), "server", *options, *parts, *s3, *unused]
    server = Server("SeaweedFS", port, command, work / "s3.log")
    try:
        server.wait_until_ready("/healthz")
        endpoint = f"http://{LOOPBACK}:{port}"
        _upload(folder, endpoint)
        yield Storage("S3", ADDRESS, ENVIRONMENT / "python", SECONDS, _environ(endpoint))
    finally:
        # It takes half a minute to end by itself.
        os.kill(server.process, signal.SIGKILL)
        server.stop()


def _environ(endpoint: str) -> dict[str, str]:
    connection = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": {"endpoint_url": endpoint}}
    return {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}


def _upload(folder: Path, endpoint: str) -> None:
    """Copy the files of a folder into the bucket, by the library with which Airflow reads them."""
    program = (
        "import sys, s3fs; folder, bucket, url, key, secret = sys.argv[1:]\n"
        "files = s3fs.S3FileSystem(key=key, secret=secret, endpoint_url=url)\n"
        "files.makedirs(bucket, exist_ok=True)\n"
        "files.put(folder + '/', bucket + '/data/', recursive=True)\n"
    )
    arguments = [str(folder), BUCKET, endpoint, KEY, SECRET]
    done = subprocess.run(
        [str(ENVIRONMENT / "python"), "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"the upload of {folder} failed: {done.stderr[-2000:]}")
