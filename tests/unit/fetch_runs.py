"""How a fetch is run, once: in this process, or in one of its own."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import tenacity.nap
from unit.crashes import Death, Killed
from unit.warm_processes import CONTEXT

from airflow_movielens.client import MovielensClient, MovielensError, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings, parts
from airflow_movielens.client.http import rate_limit, transport
from airflow_movielens.client.tuning import Tuning

if TYPE_CHECKING:
    from pathlib import Path

    from unit.fetch_story import Story
    from unit.model_server import ModelServer
    from unit.scenarios import Run, Scenario

    from airflow_movielens.client.fetch import Progress

PATIENCE = 60.0
"""Seconds after which a run is said to hang."""
SECRET = "s3cr3t-p4ssword"

Outcome = dict[str, Any] | str
"""The manifest, ``killed``, or the name of an error's type."""


def fetch(scenario: Scenario, run: Run, base_url: str, output: Path, *, progress: Any = None) -> dict[str, Any]:
    """One run of a fetch."""
    client = MovielensClient(
        base_url,
        "user",
        SECRET,
        page_size=run.page_size,
        concurrency=scenario.concurrency,
        retries=scenario.retries,
        read_timeout=10.0,
        total_timeout=20.0,
    )
    with (
        client,
        mock.patch.object(parts, "ROWS_PER_PART", scenario.part),
        in_small_pieces(scenario.piece),
        given_up_after(PATIENCE, client),
    ):
        window = Window.of(run.start, run.end)
        return fetch_ratings(
            client, window, LocalOutput(output), on_bad_rows=scenario.on_bad_rows, progress=progress
        ).to_dict()


@contextmanager
def in_small_pieces(size):
    """Let what is meant for megabytes happen to a few rows."""
    small = Tuning(chunk_bytes=size, ndjson_bytes=size, arrow_bytes=size, arrow_rows=size, min_fast_json_bytes=size)
    with mock.patch.object(transport, "DEFAULT_TUNING", small):
        yield


def told(error: MovielensError) -> str:
    """The name of an error's type, if it tells no secret."""
    return "SecretError" if SECRET in str(error) else type(error).__name__


@contextmanager
def given_up_after(seconds, client):
    """Cut a client off that hangs, so that its test fails."""
    timer = threading.Timer(seconds, client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class InProcess:
    """Runs a fetch in this process; a kill throws it out and puts the files back to how they were then."""

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
            with death.lurking():
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
                death.bury()
            return "killed"
        except MovielensError as error:
            return told(error)
        finally:
            self._wait_for_threads(before)

    def _wait_for_threads(self, before: set[threading.Thread]) -> None:
        for thread in set(threading.enumerate()) - before - set(self._server.threads):
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} is left behind"


class SeveralProcesses:
    """Runs a fetch in a process of its own; a kill is a SIGKILL when a request arrives."""

    def __init__(self, story: Story, server: ModelServer) -> None:
        self._story = story
        self._server = server

    def run(self, run: Run) -> Outcome:
        here, there = CONTEXT.Pipe(duplex=False)
        arguments = (self._story.scenario, run, self._server.base_url, self._story.output, there)
        process = CONTEXT.Process(target=_fetch_alone, args=arguments)
        dies_at = len(self._server.requests) + run.kill[1] if run.kill else None
        self._story.killing = lambda number: process.kill() if number == dies_at else None
        process.start()
        there.close()
        assert here.poll(PATIENCE), "the fetch hangs"
        try:
            outcome = here.recv()
        except EOFError:
            outcome = "killed"
        process.join(PATIENCE)
        # A request that nobody waited for any more may arrive when all is done, and kill a process that is about to end.
        assert process.exitcode == -signal.SIGKILL or (process.exitcode == 0 and outcome != "killed")
        return outcome


def _fetch_alone(scenario: Scenario, run: Run, base_url: str, output: Path, to: Any) -> None:
    """The fetch of `SeveralProcesses`."""
    with mock.patch.object(rate_limit.SYSTEM_CLOCK, "sleep"), mock.patch.object(tenacity.nap, "time"):
        try:
            to.send(fetch(scenario, run, base_url, output))
        except MovielensError as error:
            to.send(told(error))
