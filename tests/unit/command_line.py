"""The command ``movielens``: run in this process, in another one, or in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from unit.scripted_server import ratings

from airflow_movielens.cli import main

COMMAND = [sys.executable, "-m", "airflow_movielens"]
WINDOW = ["--start-date", "2000-11-15", "--end-date", "2000-11-29"]
ROWS = ratings(100)
DAY_OF_ROWS = ["--start-date", "1970-01-02", "--end-date", "1970-01-03"]


def fetch(server, path, *options):
    """Fetch the day of `ROWS` from a scripted server, and return the exit status."""
    return main(["fetch", *DAY_OF_ROWS, "--output-path", str(path), "--host", server.base_url, *options])


def in_a_terminal(command, typed=b""):
    """Run a command in a terminal, and return its exit status and output."""
    ours, its = pty.openpty()
    os.set_blocking(ours, True)
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
                if typed and b"Password" in shown:
                    os.write(ours, typed)
                    typed = b""
        except OSError:
            pass  # the terminal's other side is closed
    os.close(ours)
    return process.returncode, shown.decode()
