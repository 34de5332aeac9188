"""Rounds of measurements: competitors take turns, so that all run under the same conditions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api import kills, load
from benchmarks.api.exports import FORMATS, export
from benchmarks.api.peers import Peer
from benchmarks.api.results import FLAT_OUT, STEADY, WITHOUT, Results
from benchmarks.api.workloads import WORKLOADS, Workload
from benchmarks.api.writing import STEADY_BATCHES_PER_SECOND, Writer, posting
from benchmarks.days import RatingDays
from benchmarks.progress import say
from benchmarks.servers import Server

SECONDS_WRITING = 10


@dataclass
class Rounds:
    """Measurements on running servers.

    Attributes:
        ratings: The number of ratings of each day.
        running: The competitors with their servers, ours first.
        limit: nginx with a page for each workload.
        folder: A folder for temporary files.
        results: The results, to which measurements are added.
    """

    ratings: RatingDays
    running: Sequence[tuple[Peer, Server]]
    limit: Server
    folder: Path
    results: Results

    def loads(self, number: int) -> None:
        """Measure W1 to W4 of every competitor once."""
        for workload in WORKLOADS:
            requests = workload.requests(self.ratings, seed=number)
            for peer, server in self.running:
                self._load(workload, server, [peer.path(request) for request in requests])
            self._load(workload, self.limit, [f"/{workload.name}"])

    def exports(self, _number: int) -> None:
        """Measure W5 of our server once."""
        for form, media_type in FORMATS.items():
            seen = export(self.running[0][1], media_type)
            self.results.exports[form].append(seen)
            say(f"  W5 {form}: {seen.per_second:,.0f} rows/s, {seen.peak.pss:,.0f} MB")

    def writing(self, number: int) -> None:
        """Measure W1 of our server once each without writes, with steady writes and with writes without pause."""
        peer, server = self.running[0]
        paths = [peer.path(request) for request in WORKLOADS[0].requests(self.ratings, seed=number)]
        self._read_while(WITHOUT, nullcontext(), paths)
        for how, rate in ((STEADY, STEADY_BATCHES_PER_SECOND), (FLAT_OUT, None)):
            self._read_while(how, posting(server, self.ratings.days, rate), paths)

    def kills(self, times: int) -> None:
        """Kill another server of ours repeatedly."""
        self.results.kills = kills.campaign(times)
        say(f"  {self.results.kills.said}")

    def _read_while(self, how: str, writing: AbstractContextManager[Writer | None], paths: Sequence[str]) -> None:
        server = self.running[0][1]
        with writing as writer:
            seen = load.measure(server, paths, SECONDS_WRITING, self.folder / "paths")
        self.results.reads[how].append(seen)
        if writer:
            self.results.writes[how].append(writer)
        say(f"  W1 while posting {how}: p99 {seen.p99:.1f} ms, {writer.per_second if writer else 0:,.0f} ratings/s")

    def _load(self, workload: Workload, server: Server, paths: Sequence[str]) -> None:
        seen = load.measure(server, paths, workload.seconds, self.folder / "paths")
        self.results.loads[workload.name, server.name].append(seen)
        say(f"  {workload.name} {server.name}: {seen.per_second:,.1f}/s, p99 {seen.p99:.1f} ms")
