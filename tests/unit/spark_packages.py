"""The packages of Spark, which are not in the tests' environment because beside pyarrow, pandas behaves differently."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def spark_packages():
    """Return the folder to add to PYTHONPATH, installed if it is not yet or no more the locked one."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    with (ROOT / "requirements/spark.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may install them
        subprocess.run(["make", "--silent", ".spark/.installed"], cwd=ROOT, env=own, check=True)
    return ROOT / ".spark"
