"""`make demo` as a user runs it: for real, in a folder of its own, so that a running `make up` stays undisturbed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "demo", "run"]
SECONDS = 600
FIRST, BEYOND = 974246400, 975456000  # 2000-11-15 and 2000-11-29 in UTC
TOP, MIN_RATINGS = 10, 5


@pytest.fixture
def local(tmp_path):
    return tmp_path / "a folder with blanks & 100%"


@pytest.fixture
def environment(tmp_path, local):
    """What a user's shell may hold that must not disturb the stack, and a home that must stay untouched."""
    (tmp_path / "home").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "MOVIELENS_LOCAL_DIR": str(local),
        "AIRFLOW_HOME": "/nonexistent",
        "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://nowhere/none",
        "PYTHONPATH": "/nonexistent",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


def run(environment, *arguments):
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT, env=environment, timeout=SECONDS, capture_output=True, text=True, check=False,
    )  # fmt: skip


def table_rows(output):
    """The cells of all rows of the tables in the output."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line.startswith("│")
    ]


def best_movies(truth):
    """What the demo has to print, in plain pandas from the ratings' source."""
    period = truth[(truth.timestamp >= FIRST) & (truth.timestamp < BEYOND)]
    movies = period.groupby(["movieId", "title"]).rating.agg(["mean", "count"]).reset_index()
    movies = movies[movies["count"] >= MIN_RATINGS]
    best = movies.sort_values(["mean", "count", "movieId"], ascending=[False, False, True]).head(TOP)
    return [[movie.title, f"{movie['mean']:.2f}", str(movie["count"])] for _, movie in best.iterrows()]


def test_make_demo_runs_what_is_tested_here():
    # `make test` tells its children that they run inside it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", "demo"]
    dry_run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert dry_run.stdout.splitlines()[-1].endswith("python -m demo run")


def test_fetches_and_ranks_a_fortnight_twice(environment, local, tmp_path, truth, left_running):
    for _ in range(2):
        demo = run(environment)
        assert demo.returncode == 0, demo.stdout + demo.stderr
        rows = table_rows(demo.stdout)
        days = [row for row in rows if re.fullmatch(r"2000-11-\d\d", row[0])]
        assert [day for day, *_ in days] == [f"2000-11-{day}" for day in range(15, 29)]
        assert sum(int(ratings.replace(",", "")) for _, ratings, _ in days) == 3532
        assert [ratings for _, ratings, _ in days].count("0") == 4
        assert [row[1:] for row in rows if row[0].isdecimal()] == best_movies(truth)
        assert left_running(local) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_a_failing_task_is_named_with_its_log(environment, local, left_running):
    demo = run(environment, "--connection-password", "wrong")
    assert demo.returncode == 1
    assert "The task fetch_ratings of the Dag 05_pipeline failed for 2000-11-" in demo.stdout
    assert "401" in demo.stdout
    assert left_running(local) == []


@pytest.mark.parametrize(
    ("signal_number", "step"), [(signal.SIGTERM, "Starting Airflow"), (signal.SIGINT, "Fetching 14 days")]
)
def test_an_interruption_leaves_nothing_running(environment, local, left_running, signal_number, step):
    unbuffered = environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=unbuffered, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        next(line for line in demo.stdout if line.startswith(f"… {step}"))
        os.killpg(demo.pid, signal_number)  # as a terminal does: to the whole foreground group
        demo.communicate(timeout=SECONDS)
    assert demo.returncode == 128 + signal_number
    assert left_running(local) == []


def test_a_second_stack_in_the_same_folder_is_refused(environment, local):
    from demo.lock import only_stack_in

    local.mkdir()
    with only_stack_in(local):
        demo = run(environment)
    assert demo.returncode == 1
    assert f"Another stack (process {os.getpid()}) is already running" in demo.stdout.replace("\n", " ")


@pytest.fixture
def up(environment):
    """`make up`, stopped at the end of the test whatever happens."""
    unbuffered = environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND[:-1], "up"], cwd=ROOT, env=unbuffered, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield process
        process.terminate()


def test_up_stays_up_until_ctrl_c(up, local, left_running):
    said = read_until(up, "Ctrl-C stops everything")
    airflow = re.search(r"Airflow +(http://\S+)", said)[1]
    user, password = re.search(r"user (\S+), password (\S+)", said).groups()
    login, url = re.search(r"curl -u (\S+) '(\S+)'", said).groups()
    session = requests.Session()
    session.trust_env = False
    assert session.post(f"{airflow}/auth/token", json={"username": user, "password": password}).ok
    assert len(session.get(url, auth=tuple(login.split(":"))).json()["result"]) == 3

    assert kill_scheduler(local)
    assert "scheduler ended with exit code -9 and was started again" in read_until(up, "started again")
    os.killpg(up.pid, signal.SIGINT)
    up.communicate(timeout=SECONDS)
    assert up.returncode == 0
    assert left_running(local) == []


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def kill_scheduler(local):
    """Kill the scheduler of the stack in a folder; its title is Airflow's own making."""
    killed = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = (process / "cwd").readlink().is_relative_to(local)
            if ours and b"airflow scheduler" in (process / "cmdline").read_bytes().replace(b"\0", b" "):
                os.kill(int(process.name), signal.SIGKILL)
                killed.append(process.name)
    return killed
