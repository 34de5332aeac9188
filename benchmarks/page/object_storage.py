"""A real server of S3, SeaweedFS, with a copy of the data root."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.failure import BenchmarkError
from benchmarks.page.api_server import Storage
from benchmarks.servers import free_port
from demo.services.s3 import KEY, S3
from demo.services.service import running

# Made by `make bench-page`.
ENVIRONMENT = Path(".venv-services/bin").absolute()
BUCKET = "movielens"
ADDRESS = f"s3://aws_default@{BUCKET}/data"
SECRET = "a-secret-of-the-benchmark"  # noqa: S105 - of a server that only the benchmark uses
SECONDS = 2.0


@contextmanager
def bucket_with(folder: Path, work: Path) -> Iterator[Storage]:
    """Start a server of S3 with a bucket that has the files of a folder at `ADDRESS`, and stop it.

    Args:
        folder: The folder.
        work: A folder for the server's files.
    """
    s3 = S3(work / "s3", free_port(), SECRET, ENVIRONMENT)
    with running(s3):
        _upload(folder, s3.endpoint)
        environ = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(s3.connection)}
        yield Storage("S3", ADDRESS, ENVIRONMENT / "python", SECONDS, environ)


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
