"""Run `make up` in a separate folder, with Dags and settings of the tests."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from demo.__main__ import main
from demo.layout import Layout

SETTINGS = {
    "scheduler": {
        # A lost worker is detected soon enough for a test.
        "task_instance_heartbeat_timeout": 20,
        "task_instance_heartbeat_timeout_detection_interval": 2,
        # Airflow's default: a waiting stack leaves the CPU to other tests.
        "scheduler_idle_sleep_time": 1,
    },
    # So are the triggers of a killed triggerer.
    "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
    # On a busy machine, the first call takes long.
    "workers": {"min_heartbeat_interval": 1, "execution_api_timeout": 60},
    # No Dag file changes.
    "dag_processor": {"refresh_interval": 600, "min_file_process_interval": 600},
}

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    # If the tests' process is killed, the stack ends too (on Linux).
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    local, dags = map(Path, sys.argv[1:])
    sys.exit(main(["up"], Layout(local, dags), SETTINGS))
