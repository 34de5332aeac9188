"""Rounds of measurements: clients take turns, so that all run under the same conditions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client.apis import Api
from benchmarks.client.cases import CONCURRENCY, Case
from benchmarks.client.checks import check
from benchmarks.client.dataset import Dataset
from benchmarks.client.job import Job
from benchmarks.client.results import Measurement, Results
from benchmarks.progress import say
from benchmarks.servers import PASSWORD, USER


@dataclass
class Rounds:
    """Measurements on running servers.

    Attributes:
        dataset: The ratings that they serve.
        apis: The APIs by their names in cases.
        folder: The folder for the output of clients.
        results: The results, to which measurements are added.
    """

    dataset: Dataset
    apis: Mapping[str, Api]
    folder: Path
    results: Results

    def measure(self, case: Case) -> None:
        """Measure a case once, and check and remove its output."""
        job, rows = self._job(case)
        measurement = self._fetch(case, job, rows)
        self.results.add(case, rows, measurement)
        seconds = measurement.cost.seconds
        say(f"  {case.workload} {case.client}: {rows / seconds:,.0f} rows/s in {seconds:.2f} s")

    def warm_up(self, case: Case) -> None:
        """Run a case without measuring it."""
        self._fetch(case, *self._job(case))

    @property
    def _written(self) -> Path:
        return self.folder / "written"

    def _fetch(self, case: Case, job: Job, rows: int) -> Measurement:
        api = self.apis[case.api]
        self._written.mkdir()
        try:
            requests, cpu = api.requests(), api.cpu()
            cost = case.peer.fetch(job, rows, self.folder)
            cpu = api.cpu() - cpu
            requests = None if requests is None else (api.requests() or 0) - requests
            check(job, self.dataset)
        finally:
            shutil.rmtree(self._written)
        return Measurement(cost, cpu, requests)

    def _job(self, case: Case) -> tuple[Job, int]:
        start, end, rows = self.dataset.days.first_with(case.rows)
        job = Job(
            self.apis[case.api].url,
            USER,
            PASSWORD,
            start.isoformat(),
            end.isoformat(),
            case.page_size,
            CONCURRENCY,
            case.data_format,
            str(self._written / f"ratings{case.peer.ending}"),
        )
        return job, rows
