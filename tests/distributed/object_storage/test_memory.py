"""Large files take little memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MEGABYTES = 300

pytestmark = pytest.mark.long


def test_a_large_file_takes_little_memory(bucket, tmp_path):
    with (tmp_path / "large.csv").open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(2**20))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "distributed.object_storage.memory_process"]
    grown = {}
    for what, path in (("upload", tmp_path / "large.csv"), ("download", tmp_path / "copy")):
        arguments = [*command, what, bucket.url("large.csv"), str(path)]
        process = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
        grown[what] = int(process.stdout.split()[-1])
    print(f"MB of memory for a file of {MEGABYTES} MB: {grown}")
    assert (tmp_path / "copy/large.csv").read_bytes() == (tmp_path / "large.csv").read_bytes()
    assert max(grown.values()) < 150
