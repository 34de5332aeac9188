"""Parsing a Dag file as Airflow's dag processor does, and in a fresh process, in CPU time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import structlog
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file, _pre_import_airflow_modules

from benchmarks.failure import BenchmarkError
from benchmarks.parse.dag_files import PLAIN

if TYPE_CHECKING:
    from pathlib import Path

_LOG = structlog.get_logger("task")
_PICKLED = 65_536


def in_a_fork(file: Path) -> float:
    """Parse and serialise a file in a child of this process, which has already loaded Airflow.

    Like the dag processor, this process first imports the modules of ``airflow`` that the file imports. Every child
    imports other packages, such as ours, again.

    Returns:
        CPU seconds of the child, without the fork.
    """
    _pre_import_airflow_modules(str(file), _LOG)
    if early := [name for name in ("airflow_movielens.operators", PLAIN) if name in sys.modules]:
        raise BenchmarkError(f"{early} must be imported by the child, but this process has already done so")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        _parse_and_exit(file, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        received = pipe.read(_PICKLED)
    os.waitpid(child, 0)
    seconds, errors = pickle.loads(received) if received else (0.0, "the child died")  # noqa: S301 - our own child's
    if errors:
        raise BenchmarkError(f"{file.name} cannot be parsed: {errors}")
    return float(seconds)


def _parse_and_exit(file: Path, write_end: int) -> None:
    try:
        request = DagFileParseRequest(file=str(file), bundle_path=file.parent, bundle_name="benchmark")
        began = time.process_time()
        result = _parse_file(request, _LOG)
        seconds = time.process_time() - began
        errors = result.import_errors if result and result.serialized_dags else "no Dags"
        os.write(write_end, pickle.dumps((seconds, errors)))
    finally:
        os._exit(0)


def in_a_fresh_process(file: Path) -> float:
    """Run a file in a new Python process, which imports all of Airflow that the file needs.

    Returns:
        CPU seconds of the whole process.
    """
    before = os.times()
    subprocess.run([sys.executable, str(file)], check=True, cwd=file.parent)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
