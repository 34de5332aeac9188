"""A scenario played to its end, and what must hold meanwhile and then."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import event
from unit.fetch_runs import SECRET
from unit.fetched_files import reference, rows_of
from unit.model import DISTURBING, TRANSIENT, Row
from unit.model_server import ModelServer, Query, Reply, serve

from airflow_movielens.client.fetch import resume

if TYPE_CHECKING:
    from pathlib import Path

    from unit.scenarios import Run, Scenario

    from airflow_movielens.client.fetch import Progress


class Story:
    """Plays a scenario.

    Args:
        scenario: What happens.
        folder: A folder of its own.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.model = scenario.model()
        self.folder = folder / "data"
        self.folder.mkdir()
        self.output = self.folder / f"ratings{scenario.ending}"
        self.quarantine = self.folder / f"{self.output.name}.quarantine.ndjson"
        self.manifest = self.folder / f".{self.output.name}.manifest.json"
        self.old = b"of an earlier fetch" if scenario.has_old_file else None
        if self.old is not None:
            self.output.write_bytes(self.old)
            self.quarantine.write_bytes(b"of an earlier fetch, too")
            self.manifest.write_text(json.dumps({"sha256": hashlib.sha256(self.old).hexdigest()}))
        self.runs: list[Run] = []
        self.faults_forgiven = 0
        self.changes_forgiven = 0
        self.reported: list[Progress] = []
        """What the run that plays now told of its progress."""
        self.killing: Any = None
        """Called with the number of each request."""

    def play(self, way: Any) -> None:
        """Run the fetch until it is done; check all that must hold.

        Args:
            way: How a run is run: `InProcess` or `SeveralProcesses`.
        """
        with serve(self._answer, 100 + 10 * self._most_requests()) as server:
            self._play(way, server)
        assert len(server.requests) <= self._most_requests()

    def _play(self, way: Any, server: ModelServer) -> None:
        waiting = list(self.scenario.runs)
        while True:
            run = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            durable = self._durable_rows(run)
            self.runs.append(run)
            self.model.speech = run.speech
            self.reported = []
            before, faults_before = len(server.requests), len(self.model.fired)
            outcome = way(self, server).run(run)
            event(f"a run: {'done' if isinstance(outcome, dict) else outcome}{' (resumed)' if durable else ''}")
            # What cannot be read where a run goes on, whenever it is asked for, may be no fault: it starts over then.
            if len(self.model.fired) - faults_before <= self.scenario.retries:
                self._check_nothing_asked_twice(server.requests[before:], durable)
            self._check_visible()
            if outcome == "killed":
                self._check_little_is_lost()
            if isinstance(outcome, dict):
                self._check_result(run, outcome)
                return
            if outcome != "killed" and not self._may_fail(outcome, run):
                raise AssertionError(f"{outcome} of {self.model.fired} and {self.model.now} changes")
            if self._must_fail(run):
                return

    # ---------------------------------------------------------------- at each request

    def _answer(self, query: Query, number: int) -> Reply:
        if self.killing is not None:
            self.killing(number)
        self._check_output(self._content())
        return self.model(query, number)

    def _content(self) -> bytes | None:
        try:
            return self.output.read_bytes()
        except FileNotFoundError:
            return None

    def _check_output(self, content: bytes | None) -> None:
        """What lies under the output's name is what lay there before, or one state of the data, whole."""
        if content != self.old:
            assert any(self._is_state(content, index, run) for index in self._seen() for run in self.runs), content

    def _seen(self) -> range:
        return range(self.model.now + 1)

    def _is_state(self, content: bytes | None, index: int, run: Run) -> bool:
        return content == self._reference(index, run)

    def _reference(self, index: int, run: Run) -> bytes:
        return reference(json.dumps(self._good(index, run)), self.output.name)

    def _good(self, index: int, run: Run) -> list[Row]:
        rows = self.model.states[index][1].rows(run.start, run.end)
        return [row for row in rows if row["movieId"] - 1 not in self.model.broken]

    def _bad(self, index: int, run: Run) -> int:
        return len(self.model.states[index][1].rows(run.start, run.end)) - len(self._good(index, run))

    # ---------------------------------------------------------------- behind each run

    def _check_visible(self) -> None:
        content = self._content()
        self._check_output(content)
        if self.manifest.exists():
            told = json.loads(self.manifest.read_bytes())
            assert content is not None
            assert told["sha256"] == hashlib.sha256(content).hexdigest(), "a manifest beside a file it does not mean"

    def _durable_rows(self, run: Run) -> int | None:
        """How many rows the next run finds, if the server is still as it was."""
        if not self.runs or not run.goes_on(self.runs[-1]) or self._disturbances():
            return None
        return self._kept()

    def _kept(self) -> int | None:
        """How many rows are durable; None if a fetch of something else left its folder, too."""
        folders = list(self.folder.glob(".partial-*"))
        if len(folders) > 1:
            return None
        checkpoints = [json.loads(file.read_bytes()) for folder in folders for file in folder.glob("checkpoint.json")]
        return checkpoints[0]["bookmark"]["count"] if checkpoints else 0

    def _check_little_is_lost(self) -> None:
        """But for a part that is being gathered, and one that is being written, all that came is durable."""
        kept, is_published = self._kept(), self._content() != self.old
        if kept is None or is_published or not self.reported or self._disturbances():
            return
        counts = [self.reported[0].resumed_rows, *(progress.rows for progress in self.reported)]
        if counts != sorted(counts):
            return  # it started over
        batch = max(after - before for before, after in pairwise(counts))
        assert counts[-1] - kept <= 2 * (self.scenario.part + batch)

    def _check_nothing_asked_twice(self, asked: list[Query], durable: int | None) -> None:
        if durable is None or self._disturbances():
            return
        window = self.runs[-1].start, self.runs[-1].end
        for query in asked:
            if "cursor" not in query and (query.get("start_date"), query.get("end_date")) != window:
                continue  # the proof of the window asks for the days beside it
            offset = int(query["offset"] if "offset" in query else query["cursor"].split(".")[3])
            assert offset >= durable - (self.model.speech.kind == "offset"), (offset, durable)

    # ---------------------------------------------------------------- errors

    def _disturbances(self) -> int:
        return self.model.now + sum(fault in DISTURBING for fault in self.model.fired)

    def _may_fail(self, error: str, run: Run) -> bool:
        """Whether enough went wrong since the last time that a run had to fail."""
        if self._must_fail(run):
            return True
        if error == "RatingsChangedError":
            self.changes_forgiven += resume.ATTEMPTS
            return self.changes_forgiven <= self._disturbances() + len(self.runs) - 1
        if error in {"RetryableError", "DataError"}:
            self.faults_forgiven += self.scenario.retries + 1
            return self.faults_forgiven <= sum(fault in TRANSIENT for fault in self.model.fired)
        return False

    def _must_fail(self, run: Run) -> bool:
        """Whether the server never tells the truth."""
        lies = run.speech.lie != 0
        is_bad = self.scenario.on_bad_rows == "fail" and any(self._bad(index, run) for index in self._seen())
        return lies or is_bad

    def _most_requests(self) -> int:
        """A bound on the requests of all runs."""
        scenario = self.scenario
        most_rows = max(len(state.stars) for _, state in scenario.states) + 5
        page = min(min(run.page_size, run.speech.clamp or 12) for run in scenario.runs)
        has_short_pages = any(what in {"short", "truncated", "empty"} for _, (what, _) in scenario.faults)
        step = 1 if has_short_pages else max(page - 1, 1)
        attempts = resume.ATTEMPTS * (len(scenario.runs) + len(scenario.faults) + len(scenario.states))
        return attempts * (most_rows // step + 4 + 2 * scenario.concurrency) * (1 + scenario.retries)

    # ---------------------------------------------------------------- at the end

    def _check_result(self, run: Run, manifest: dict[str, Any]) -> None:
        content = self._content()
        assert content is not None
        state = next((index for index in self._seen() if self._is_told(content, index, run, manifest)), None)
        assert state is not None, f"no state of the data: {content!r}, {manifest}"
        assert rows_of(content, self.output.name) == self._good(state, run)
        bad = self._bad(state, run)
        assert manifest == json.loads(self.manifest.read_bytes()) | {"path": str(self.output)}
        assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
        assert manifest["bytes"] == len(content)
        assert (manifest["start_date"], manifest["end_date"]) == (run.start, run.end)
        assert manifest["quarantine_path"] == (str(self.quarantine) if bad else None)
        assert (len(self.quarantine.read_bytes().splitlines()) if bad else 0) == bad
        expected = {self.output, self.manifest, *([self.quarantine] if bad else [])}
        assert set(self.folder.iterdir()) == expected
        everything = b"".join(file.read_bytes() for file in expected)
        assert SECRET.encode() not in everything

    def _is_told(self, content: bytes, index: int, run: Run, manifest: dict[str, Any]) -> bool:
        """Whether this is the state that the file holds and the manifest tells of."""
        # A fetch that was complete, but for the last renaming, goes on without asking.
        names = {None if one.speech.kind == "offset" else f"s{index}" for one in self.runs}
        counts = (len(self._good(index, run)), self._bad(index, run))
        is_told = manifest["snapshot"] in names and (manifest["rows"], manifest["quarantined"]) == counts
        return is_told and self._is_state(content, index, run)
