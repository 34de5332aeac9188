"""The environment in which tests start a stack, and the processes that a stack has started."""

from __future__ import annotations

import os
from pathlib import Path


def user_environment(home: Path) -> dict[str, str]:
    """Return variables of a user's shell that must not affect the stack, and a home that must stay untouched."""
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": "/nonexistent",
        "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://nowhere/none",
        "PYTHONPATH": "/nonexistent",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


def processes_of(local: Path) -> list[str]:
    """Return the processes of the stack in a folder, found by its records and by their working directories."""
    sessions = set((local / "sessions").read_text().split())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = (process / "stat").read_text().rpartition(")")[2].split()[3]
            is_ours = session in sessions or (process / "cwd").readlink().is_relative_to(local)
            command = (process / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        # One that has ended, and that its parent has not asked for its status yet, has no command.
        if is_ours and command:
            found.append(f"{process.name}: {command}")
    return found
