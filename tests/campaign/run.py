"""A campaign from its start to its evidence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from benchmarks.progress import say
from benchmarks.servers import free_port
from demo.ports import choose_port
from demo.processes import SessionRecord
from tests.campaign.api import Api
from tests.campaign.commands import Commands
from tests.campaign.disturbances import Disturbances
from tests.campaign.fetches import Fetcher
from tests.campaign.gateway import Gateway
from tests.campaign.journal import Journal
from tests.campaign.loiterers import Loiterers
from tests.campaign.network import BadNetwork
from tests.campaign.plan import FETCHERS, WRITERS, Plan
from tests.campaign.rankings import Ranker
from tests.campaign.writers import Writer

FOLDERS = ("logs", "fetched", "ranked", "kept", "tmp")
SECONDS_TO_FINISH = 300
SECONDS_TO_SETTLE = 3
_SHARE_WITH_KILLS = 0.8
"""The share of the time after which no process of the server is killed, so that their memory can be judged."""


class Client(Protocol):
    """A thread of the campaign."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Begin nothing new."""

    def is_alive(self) -> bool:
        """Return whether it still finishes what it has begun."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for it."""


class Campaign:
    """A campaign in a folder, which may hold an earlier part of it.

    Args:
        plan: The plan.
        folder: The folder.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        plan.write_dataset(folder / "dataset")
        self.journal = Journal(folder / "journal.ndjson")

    def run(self, seconds: float) -> None:
        """Run for some time, finish what has begun, and write the evidence."""
        with ExitStack() as stack:
            stack.callback(self.journal.close)
            sessions = SessionRecord(self.folder / "sessions", self.folder)
            sessions.end_leftovers()
            stack.callback(sessions.end_leftovers)
            ports = self._ports(stack)
            api = Api(self.plan, self.folder, ports["api"], sessions)
            stack.callback(api.kill_all)
            commands = Commands(self.folder, self.journal, sessions)
            stack.callback(commands.close)
            api.start()
            self._measure(api)
            self._disturbed(api, ports, commands, seconds)
            time.sleep(SECONDS_TO_SETTLE)
            self._measure(api)
            say("restarting the server, and reading its ratings")
            self._collect(api)
            self._note(api.problems)

    def _note(self, problems: Iterable[str | None]) -> None:
        for problem in filter(None, problems):
            self.journal.note("problem", problem=problem)

    def _ports(self, stack: ExitStack) -> dict[str, int]:
        """Return the same ports as before, if they are free: a fetch resumes only from the same address."""
        file = self.folder / "ports.json"
        before = json.loads(file.read_text()) if file.exists() else {}
        ports = {name: choose_port(before.get(name) or free_port(), stack) for name in ("api", "network", "gateway")}
        file.write_text(json.dumps(ports))
        return ports

    def _disturbed(self, api: Api, ports: dict[str, int], commands: Commands, seconds: float) -> None:
        with self._network(api, ports) as network:
            disturbances = Disturbances(self.plan, api, self.journal)
            writers, others = self._clients(api, ports, commands)
            clients: list[Client] = [*writers, *others]
            for thread in (disturbances, *clients):
                thread.start()
            self._wait(seconds * _SHARE_WITH_KILLS, disturbances)
            disturbances.spares_processes = True
            self._wait(seconds * (1 - _SHARE_WITH_KILLS), disturbances)
            self._wait_for_some()
            say("finishing what has begun, undisturbed")
            disturbances.stop()
            disturbances.join()
            network.is_calm = True
            self._finish(clients)
            self._note([disturbances.problem, *(writer.problem for writer in writers)])

    @contextmanager
    def _network(self, api: Api, ports: dict[str, int]) -> Iterator[BadNetwork]:
        network = BadNetwork(self.plan, ports["network"], api.port, self.journal)
        gateway = Gateway(ports["gateway"], api, network.port)
        try:
            yield network
        finally:
            gateway.stop()
            network.stop()

    def _clients(self, api: Api, ports: dict[str, int], commands: Commands) -> tuple[list[Writer], list[Client]]:
        accounts = [self.plan.owner, *(each for each in self.plan.accounts if each.role == "write")]
        writers = [
            Writer(
                self.plan,
                number,
                accounts[number % len(accounts)],
                api=api,
                port=ports["network"],
                journal=self.journal,
            )
            for number in range(WRITERS)
        ]
        addresses = {
            "direct": f"{api.scheme}://localhost:{ports['api']}",
            "network": f"{api.scheme}://localhost:{ports['network']}",
            "links": f"http://localhost:{ports['gateway']}/links",
            "offsets": f"http://localhost:{ports['gateway']}/offsets",
        }
        fetchers = [
            Fetcher(
                self.plan,
                number,
                api,
                addresses=addresses,
                commands=commands,
                folder=self.folder,
                journal=self.journal,
            )
            for number in range(FETCHERS)
        ]
        ranker = Ranker(self.plan, commands, self.folder, self.journal)
        return writers, [*fetchers, ranker, Loiterers(self.plan, api, self.journal)]

    def _wait(self, seconds: float, disturbances: threading.Thread) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and disturbances.is_alive():
            time.sleep(min(left, 15))
            say("{:,} posts acknowledged, {:,} fetches and {:,} rankings done".format(*self._done()))

    def _wait_for_some(self) -> None:
        """Wait until each kind of client has done something, which may take longer than a short campaign."""
        until = time.monotonic() + SECONDS_TO_FINISH
        while not all(self._done()) and time.monotonic() < until:
            time.sleep(0.1)

    def _done(self) -> list[int]:
        return [len(self.journal.facts(what)) for what in ("acknowledged", "fetched", "ranked")]

    def _finish(self, clients: list[Client]) -> None:
        deadline = time.monotonic() + SECONDS_TO_FINISH
        for client in clients:
            client.stop()
        for client in clients:
            client.join(max(deadline - time.monotonic(), 0))
        for client in clients:
            if client.is_alive():
                self.journal.note("problem", problem=f"{client} did not finish within {SECONDS_TO_FINISH} seconds")
                getattr(client, "give_up", lambda: None)()

    def _measure(self, api: Api) -> None:
        self.journal.note("resources", **asdict(api.resources()))

    def _collect(self, api: Api) -> None:
        """Write what the server has after a restart, and the names of its snapshots."""
        api.restart()
        served = api.ratings()
        api.stop()
        served.write_parquet(self.folder / "served.parquet")
        posted = sum(fact["rows"] for fact in self.journal.facts("acknowledged"))
        (self.folder / "snapshots.json").write_text(json.dumps(api.names(posted)))
