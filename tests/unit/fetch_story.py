"""A scenario played to its end, with checks at each request, after each run, and of the result."""

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
    """A scenario, and the files that its runs leave.

    Args:
        scenario: What happens.
        folder: An empty folder.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.model = scenario.model()
        self.folder = folder / "data"
        self.folder.mkdir()
        self.output = self.folder / f"ratings{scenario.ending}"
        self.quarantine = self.folder / f"{self.output.name}.quarantine.ndjson"
        self.manifest = self.folder / f".{self.output.name}.manifest.json"
        self.old = b"from an earlier fetch" if scenario.has_old_file else None
        if self.old is not None:
            self.output.write_bytes(self.old)
            self.quarantine.write_bytes(b"also from an earlier fetch")
            self.manifest.write_text(json.dumps({"sha256": hashlib.sha256(self.old).hexdigest()}))
        self.runs: list[Run] = []
        self.excused_faults = 0
        self.excused_changes = 0
        self.excused_refusals = 0
        self.reported: list[Progress] = []
        """The progress that the current run has reported."""
        self.on_request: Any = None
        """Called with the number of each request, before its response."""

    def play(self, runner: Any) -> None:
        """Run the fetch until it is done, and check everything that must hold.

        Args:
            runner: `InProcess` or `SeveralProcesses`.
        """
        with serve(self._respond, 100 + 10 * self._max_requests()) as server:
            self._play(runner, server)
        assert len(server.requests) <= self._max_requests()

    def _play(self, runner: Any, server: ModelServer) -> None:
        planned = list(self.scenario.runs)
        while True:
            run = planned.pop(0) if len(planned) > 1 else planned[0]
            durable = self._durable_rows(run)
            self.runs.append(run)
            self.model.dialect = run.dialect
            self.reported = []
            requests_before, faults_before = len(server.requests), len(self.model.fired)
            outcome = runner(self, server).run(run)
            event(f"a run: {'done' if isinstance(outcome, dict) else outcome}{' (resumed)' if durable else ''}")
            # After more faults than retries, a run may have to start over.
            if len(self.model.fired) - faults_before <= self.scenario.retries:
                self._check_durable_rows_are_not_requested(server.requests[requests_before:], durable)
            self._check_limits(server.requests[requests_before:])
            self._check_visible_files()
            if outcome == "killed":
                self._check_little_is_lost()
            if isinstance(outcome, dict):
                self._check_result(run, outcome)
                return
            if outcome != "killed" and not self._may_fail(outcome, run):
                raise AssertionError(f"{outcome} after {self.model.fired} and {self.model.now} changes")
            if self._must_fail(run):
                return

    # ---------------------------------------------------------------- at each request

    def _respond(self, query: Query, number: int) -> Reply:
        if self.on_request is not None:
            self.on_request(number)
        self._check_output(self._content())
        return self.model(query, number)

    def _content(self) -> bytes | None:
        try:
            return self.output.read_bytes()
        except FileNotFoundError:
            return None

    def _check_output(self, content: bytes | None) -> None:
        """Check that the output is still the old file, or holds one state of the data as a whole."""
        if content != self.old:
            assert any(content == self._reference(state, run) for state in self._seen() for run in self.runs), content

    def _seen(self) -> range:
        return range(self.model.now + 1)

    def _reference(self, state: int, run: Run) -> bytes:
        return reference(json.dumps(self._good(state, run)), self.output.name)

    def _good(self, state: int, run: Run) -> list[Row]:
        rows = self.model.states[state][1].rows(run.start, run.end)
        return [row for row in rows if row["movieId"] - 1 not in self.model.broken]

    def _bad(self, state: int, run: Run) -> int:
        return len(self.model.states[state][1].rows(run.start, run.end)) - len(self._good(state, run))

    # ---------------------------------------------------------------- after each run

    def _check_visible_files(self) -> None:
        content = self._content()
        self._check_output(content)
        if self.manifest.exists():
            manifest = json.loads(self.manifest.read_bytes())
            assert content is not None
            assert manifest["sha256"] == hashlib.sha256(content).hexdigest(), "a manifest beside another file"

    def _durable_rows(self, run: Run) -> int | None:
        """Return how many rows the next run can resume from; None if it may have to start over."""
        # A run that is killed early leaves the rows of the run before it.
        if not self.runs or not all(run.resumes(earlier) for earlier in self.runs) or self._disturbances():
            return None
        return self._kept_rows()

    def _kept_rows(self) -> int | None:
        """Return how many rows are durable; None if another fetch has left a folder too."""
        folders = list(self.folder.glob(".partial-*"))
        if len(folders) > 1:
            return None
        checkpoints = [json.loads(file.read_bytes()) for folder in folders for file in folder.glob("checkpoint.json")]
        return checkpoints[0]["bookmark"]["count"] if checkpoints else 0

    def _check_little_is_lost(self) -> None:
        """Check that a kill has lost at most the part that was being collected and the one that was being written."""
        kept, is_published = self._kept_rows(), self._content() != self.old
        # With a wrong total, or that of another server, the run may just have started over.
        starts_over = len({run.dialect for run in self.runs}) > 1 or self.runs[-1].dialect.surplus != 0
        if kept is None or is_published or not self.reported or starts_over or self._disturbances():
            return
        counts = [self.reported[0].resumed_rows, *(progress.rows for progress in self.reported)]
        if counts != sorted(counts):
            return  # the run has started over
        batch = max(after - before for before, after in pairwise(counts))
        assert counts[-1] - kept <= 2 * (self.scenario.part + batch)

    def _check_durable_rows_are_not_requested(self, requests: list[Query], durable: int | None) -> None:
        if durable is None or self._disturbances():
            return
        window = self.runs[-1].start, self.runs[-1].end
        for query in requests:
            if "cursor" not in query and (query.get("start_date"), query.get("end_date")) != window:
                continue  # the check of the server's days requests the days around the window
            offset = int(query["offset"] if "offset" in query else query["cursor"].split(".")[3])
            assert offset >= durable - (self.model.dialect.kind == "offset"), (offset, durable)

    def _check_limits(self, requests: list[Query]) -> None:
        """Check that no request asks for more rows than the page size, except links of a run with another one."""
        # A process that was killed may have sent requests that arrive only now.
        sizes = [max(run.page_size or self.scenario.largest_page, 2) for run in self.runs[-2:]]
        for query in requests:
            assert int(query.get("limit", 0)) <= max(sizes), (query, self.runs)

    # ---------------------------------------------------------------- errors

    def _disturbances(self) -> int:
        return self.model.now + sum(fault in DISTURBING for fault in self.model.fired)

    def _may_fail(self, error: str, run: Run) -> bool:
        """Return whether enough has gone wrong, beyond what excused earlier failures, to excuse this one."""
        if self._must_fail(run):
            return True
        if error == "RatingsChangedError":
            self.excused_changes += resume.ATTEMPTS
            return self.excused_changes <= self._disturbances() + len(self.runs) - 1
        if error in {"RetryableError", "DataError"}:
            self.excused_faults += self.scenario.retries + 1
            return self.excused_faults <= sum(fault in TRANSIENT for fault in self.model.fired)
        if error == "FatalError" and run.dialect.refusal:
            # The largest page may become smaller again before the request for the one before it.
            self.excused_refusals += 1
            return self.excused_refusals <= len(run.dialect.later_clamps)
        return False

    def _must_fail(self, run: Run) -> bool:
        """Return whether no run can succeed: the total is always wrong, or a bad row is not allowed."""
        has_bad_rows = any(self._bad(state, run) for state in self._seen())
        return run.dialect.surplus != 0 or (self.scenario.on_bad_rows == "fail" and has_bad_rows)

    def _max_requests(self) -> int:
        """Return an upper bound of the requests of all runs."""
        scenario = self.scenario
        most_rows = max(len(state.stars) for _, state in scenario.states) + 5
        page = min(min(run.page_size or scenario.first_page, run.dialect.smallest_clamp or 12) for run in scenario.runs)
        has_short_pages = any(what in {"short", "truncated", "empty"} for _, (what, _) in scenario.faults)
        step = 1 if has_short_pages else max(page - 1, 1)
        attempts = resume.ATTEMPTS * (len(scenario.runs) + len(scenario.faults) + len(scenario.states))
        tries = 4 if any(run.dialect.refusal for run in scenario.runs) else 1
        return attempts * (most_rows // step + 4 + 2 * scenario.concurrency) * (1 + scenario.retries) * tries

    # ---------------------------------------------------------------- the result

    def _check_result(self, run: Run, manifest: dict[str, Any]) -> None:
        content = self._content()
        assert content is not None
        state = next((state for state in self._seen() if self._is_result(content, state, run, manifest)), None)
        assert state is not None, f"not a state of the data: {content!r}, {manifest}"
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
        assert SECRET.encode() not in b"".join(file.read_bytes() for file in expected)

    def _is_result(self, content: bytes, state: int, run: Run, manifest: dict[str, Any]) -> bool:
        """Return whether file and manifest are those of a state of the data."""
        # A run that only had to publish a complete fetch has the snapshot of an earlier run.
        snapshots = {None if earlier.dialect.kind == "offset" else f"s{state}" for earlier in self.runs}
        counts = (len(self._good(state, run)), self._bad(state, run))
        is_described = manifest["snapshot"] in snapshots and (manifest["rows"], manifest["quarantined"]) == counts
        return is_described and content == self._reference(state, run)
