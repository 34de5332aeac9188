"""Fetches: `movielens fetch` in processes, run again until they are done, as a scheduler does."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from tests.campaign.api import Api
from tests.campaign.commands import CALM, DONE, Commands, Disturbance, Ended
from tests.campaign.journal import Fact, Journal
from tests.campaign.plan import DAYS, Account, Plan, days_from

ENDINGS = (".json", ".json.gz", ".ndjson", ".ndjson.gz", ".csv", ".csv.gz", ".parquet")
ROUTES = {"direct": 2, "network": 4, "links": 2, "offsets": 2}
"""How often each way to the server is chosen; `gateway` explains the last two."""
CALM_AFTER = 5
"""How many attempts of a fetch are disturbed at most."""
ATTEMPTS = 12
_RESUMED = re.compile(r"([\d,]+) of them are from an earlier attempt")


@dataclass(frozen=True)
class Fetch:
    """A fetch.

    Attributes:
        fetcher: The number of the fetcher that runs it.
        number: Its number among the fetches of the fetcher.
        name: The name of its output.
        start: The first day.
        end: The day after the last one.
        route: One of ``ROUTES``.
        options: Further options of the command.
        account: The user.
        twins: How many processes run it at once.
    """

    fetcher: int
    number: int
    name: str
    start: str
    end: str
    route: str
    options: tuple[str, ...]
    account: Account
    twins: int

    @classmethod
    def planned(cls, plan: Plan, fetcher: int, number: int) -> Fetch:
        """Return a fetch of the plan; some fetch the window of the one before again, into the same file."""
        chance = plan.chance("fetch", fetcher, number)
        if number and chance.random() < 0.15:
            return replace(cls.planned(plan, fetcher, number - 1), number=number)
        length = chance.choice([1, 1, 2, 3, 7, DAYS])
        start, end = days_from(chance.randrange(DAYS - length + 1), length)
        ending, size = chance.choice(ENDINGS), chance.choice([100, 1000, None, 10_000])
        options = (
            *(() if size is None else ("--batch-size", str(size if length < DAYS else max(size, 1000)))),
            *("--concurrency", str(chance.choice([1, 4, 16]))),
            *("--format", chance.choice(["auto", "auto", "arrow", "ndjson", "json"])),
        )
        route = chance.choices([*ROUTES], [*ROUTES.values()])[0]
        name = f"fetch-{fetcher}-{number:05}{ending}"
        account, twins = chance.choice(plan.accounts), 2 if chance.random() < 0.1 else 1
        return cls(fetcher, number, name, str(start), str(end), route, options, account, twins)


class Fetcher(threading.Thread):
    """A thread that runs one fetch after another until it is stopped; then it finishes the last one.

    Args:
        plan: The campaign.
        number: The number of the fetcher.
        api: The server.
        addresses: The base URL of each route.
        commands: Runs the processes.
        folder: The folder of the campaign.
        journal: Where fetches are noted.
    """

    def __init__(
        self,
        plan: Plan,
        number: int,
        api: Api,
        *,
        addresses: dict[str, str],
        commands: Commands,
        folder: Path,
        journal: Journal,
    ) -> None:
        super().__init__(name=f"fetcher {number}", daemon=True)
        self._plan, self._number, self._api, self._addresses = plan, number, api, addresses
        self._commands, self._journal = commands, journal
        self._outputs, self._kept = folder / "fetched", folder / "kept"
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._postponed: list[Fetch] = []

    def stop(self) -> None:
        """Begin nothing new, and disturb nothing any more."""
        self._stopping.set()

    def give_up(self) -> None:
        """Do not run anything again."""
        self._giving_up.set()

    def run(self) -> None:
        """Fetch, beginning with what an interrupted campaign has not finished."""
        begun = {fact["number"] for fact in self._mine("fetch begun")}
        done = {fact["number"] for fact in self._mine("fetched")} | {fact["number"] for fact in self._mine("failed")}
        self._postponed = [Fetch.planned(self._plan, self._number, number) for number in sorted(begun - done)]
        for number in count(max(begun, default=-1) + 1):
            if self._stopping.is_set():
                break
            fetch = Fetch.planned(self._plan, self._number, number)
            self._journal.note("fetch begun", fetcher=self._number, number=number, name=fetch.name)
            if not self._finish(fetch):
                self._postponed.append(fetch)
        while self._postponed and not self._giving_up.is_set():
            if self._finish(self._postponed[0]):
                self._postponed.pop(0)

    def _mine(self, what: str) -> list[Fact]:
        return [fact for fact in self._journal.facts(what) if fact["fetcher"] == self._number]

    def _finish(self, fetch: Fetch) -> bool:
        """Run a fetch until it is done; return False if it did not succeed often enough and may later."""
        for attempt in range(ATTEMPTS):
            ended = self._attempt(fetch, attempt)
            faults = [one.fault for one in ended if one.fault]
            if faults:
                self._journal.note("failed", fetcher=self._number, number=fetch.number, fault=faults[0])
                return True
            if all(one.status == DONE for one in ended):
                self._keep(fetch, "fetched", ended)
                return True
            self._keep(fetch, "seen", ended)
            if self._giving_up.wait(0.2):
                break
        return False

    def _attempt(self, fetch: Fetch, attempt: int) -> list[Ended]:
        """Run all processes of a fetch once."""
        ended: list[Ended] = []

        def run(twin: int) -> None:
            is_calm = attempt >= CALM_AFTER or self._stopping.is_set()
            chance = self._plan.chance("disturbance", fetch.fetcher, fetch.number, attempt, twin)
            disturbance = CALM if is_calm else Disturbance.drawn(chance)
            ended.append(self._commands.run(self._arguments(fetch), self._environ(fetch), disturbance))

        threads = [threading.Thread(target=run, args=(twin,)) for twin in range(fetch.twins)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ended

    def _arguments(self, fetch: Fetch) -> list[str]:
        window = ["--start-date", fetch.start, "--end-date", fetch.end]
        where = ["--output-path", str(self._outputs / fetch.name), "--host", self._addresses[fetch.route]]
        tls = [] if self._addresses[fetch.route].startswith("http:") else self._api.client_options
        return ["fetch", *window, *where, *fetch.options, *tls]

    def _environ(self, fetch: Fetch) -> dict[str, str]:
        account = fetch.account
        if account.has_token:
            return {"MOVIELENS_TOKEN": self._api.tokens[account.name]}
        return {"MOVIELENS_USER": account.name, "MOVIELENS_PASSWORD": account.password}

    def _keep(self, fetch: Fetch, what: str, ended: list[Ended]) -> None:
        """Note what can be seen of a fetch now, and keep its files for the checks, which later fetches may replace."""
        resumed = [int(found[1].replace(",", "")) for one in ended if (found := _RESUMED.search(one.output))]
        copies = self._copies(fetch)
        self._journal.note(
            what,
            fetcher=self._number,
            number=fetch.number,
            start=fetch.start,
            end=fetch.end,
            name=fetch.name,
            route=fetch.route,
            begun=self._begun(fetch, what),
            **{"resumed": resumed, **copies},
        )

    def _begun(self, fetch: Fetch, what: str) -> float:
        """Return since when the ratings of a file may have been read: it may have parts of an unfinished fetch."""
        of_file = [fact for fact in self._mine("fetch begun") if fact["name"] == fetch.name]
        done = [fact["at"] for fact in self._mine("fetched") if fact["name"] == fetch.name]
        # A file that is only seen may be that of the first fetch.
        since = max(done, default=0.0) if what == "fetched" else 0.0
        return min(float(fact["at"]) for fact in of_file if fact["at"] > since or fact["number"] == fetch.number)

    def _copies(self, fetch: Fetch) -> dict[str, str | None]:
        number = time.time_ns()
        for checkpoint in self._outputs.glob(f".partial-{fetch.name}-*/checkpoint.json"):
            with suppress(OSError):
                shutil.copy(checkpoint, self._kept / f"{number}-checkpoint.json")
        output, manifest = self._outputs / fetch.name, self._outputs / f".{fetch.name}.manifest.json"
        found: dict[str, str | None] = {"file": None, "manifest": None}
        if output.exists():
            found["file"] = f"{number}-{fetch.name}"
            os.link(output, self._kept / f"{number}-{fetch.name}")
        if manifest.exists():
            found["manifest"] = f"{number}-{fetch.name}.manifest.json"
            os.link(manifest, self._kept / f"{number}-{fetch.name}.manifest.json")
            json.loads(manifest.read_bytes())
        return found
