"""One run of a fetch: in this process, or in a separate one."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from unit.crashes import Death, Killed
from unit.warm_processes import CONTEXT

from airflow_movielens.client import MovielensClient, MovielensError, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from unit.fetch_story import Story
    from unit.model_server import ModelServer
    from unit.scenarios import Run, Scenario

    from airflow_movielens.client.fetch import Progress
    from airflow_movielens.client.http.rate_limit import Clock

PATIENCE = 60.0
"""Seconds after which a run counts as hanging."""
SECRET = "s3cr3t-p4ssword"

Outcome = dict[str, Any] | str
"""The manifest, ``killed``, or the name of an error's type."""


def fetch(
    scenario: Scenario, run: Run, base_url: str, output: Path, *, progress: Any = None, clock: Clock | None = None
) -> dict[str, Any]:
    """Run a fetch once, and return its manifest."""
    client = MovielensClient(
        base_url,
        "user",
        SECRET,
        page_size=run.page_size,
        concurrency=scenario.concurrency,
        retries=scenario.retries,
        read_timeout=10.0,
        total_timeout=20.0,
        tuning=tuning_of(scenario),
        clock=clock,
    )
    with client, closed_after(PATIENCE, client):
        window = Window.of(run.start, run.end)
        return fetch_ratings(
            client, window, LocalOutput(output), on_bad_rows=scenario.on_bad_rows, progress=progress
        ).to_dict()


def tuning_of(scenario: Scenario) -> Tuning:
    """Return sizes at which a few rows are handled as megabytes are."""
    size = scenario.piece
    return Tuning(
        chunk_bytes=size,
        ndjson_bytes=size,
        arrow_bytes=size,
        arrow_rows=size,
        min_frame_rows=size,
        part_rows=scenario.part,
        early_share=scenario.early_share,
        first_page_size=scenario.first_page,
        largest_page_size=scenario.largest_page,
        start_over_seconds=0.0,
    )


class NoWaits:
    """A clock whose waits end immediately."""

    def now(self) -> float:
        return monotonic()

    def sleep(self, seconds: float, until: Event) -> None:
        pass


def name_of(error: MovielensError) -> str:
    """Return the name of an error's type, or ``SecretError`` if its message holds the password."""
    return "SecretError" if SECRET in str(error) else type(error).__name__


@contextmanager
def closed_after(seconds, client):
    """Close a client that hangs, so that its test fails."""
    timer = threading.Timer(seconds, client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class InProcess:
    """Runs a fetch in this process; a kill raises an error, and the files are restored as they were at that moment."""

    def __init__(self, story: Story, server: ModelServer) -> None:
        self._story = story
        self._server = server

    def run(self, run: Run) -> Outcome:
        before = set(threading.enumerate())
        death = Death(run.kill, self._story.folder)

        def report(progress: Progress) -> None:
            self._story.reported.append(progress)
            death.step("progress")

        try:
            with death.watching():
                return fetch(
                    self._story.scenario,
                    run,
                    self._server.base_url,
                    self._story.output,
                    progress=report,
                )
        except Killed:
            self._wait_for_threads(before)
            with self._server.paused():
                death.restore()
            return "killed"
        except MovielensError as error:
            return name_of(error)
        finally:
            self._wait_for_threads(before)

    def _wait_for_threads(self, before: set[threading.Thread]) -> None:
        for thread in set(threading.enumerate()) - before - set(self._server.threads):
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} is still running"


class SeveralProcesses:
    """Runs each fetch in a separate process; a kill is a SIGKILL when a request arrives."""

    def __init__(self, story: Story, server: ModelServer) -> None:
        self._story = story
        self._server = server

    def run(self, run: Run) -> Outcome:
        here, there = CONTEXT.Pipe(duplex=False)
        arguments = (self._story.scenario, run, self._server.base_url, self._story.output, there)
        process = CONTEXT.Process(target=_fetch_alone, args=arguments)
        dies_at = len(self._server.requests) + run.kill[1] if run.kill else None
        self._story.on_request = lambda number: process.kill() if number == dies_at else None
        process.start()
        there.close()
        assert here.poll(PATIENCE), "the fetch hangs"
        try:
            outcome = here.recv()
        except EOFError:
            outcome = "killed"
        process.join(PATIENCE)
        # The request at which the process is killed may arrive after its fetch is done, while the process ends.
        assert process.exitcode == -signal.SIGKILL or (process.exitcode == 0 and outcome != "killed")
        return outcome


def _fetch_alone(scenario: Scenario, run: Run, base_url: str, output: Path, to: Any) -> None:
    """Run the fetch of `SeveralProcesses`, and send its outcome."""
    try:
        to.send(fetch(scenario, run, base_url, output, clock=NoWaits()))
    except MovielensError as error:
        to.send(name_of(error))
