"""Airflow's command line, with the tasks' API started in advance: `python tasks_api.py dags test …`."""

from __future__ import annotations

import time


def start_tasks_api():
    """Start one API for all tasks and wait for it: before Airflow 3.3, each task calls its own before it has started."""
    from airflow.sdk.execution_time import supervisor

    server = supervisor.in_process_api_server()
    assert server.transport
    while not hasattr(server.app.state, "svcs_registry"):
        time.sleep(0.01)
    # Airflow has no argument for it.
    supervisor.in_process_api_server = lambda: server


if __name__ == "__main__":
    from airflow.__main__ import main

    start_tasks_api()
    main()
