"""Rankings: `movielens rank` over fetched files, in processes that are killed and run again."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from tests.campaign.commands import CALM, DONE, Commands, Disturbance, Ended
from tests.campaign.fetches import ATTEMPTS, CALM_AFTER, ENDINGS
from tests.campaign.journal import Journal
from tests.campaign.plan import Plan

METHODS = ("mean", "bayesian", "wilson", "imdb", "trending")
_ENDINGS = tuple(ending for ending in ENDINGS if not ending.endswith(".gz"))


@dataclass(frozen=True)
class Ranking:
    """A ranking.

    Attributes:
        number: Its number.
        name: The name of its output.
        method: The ranking method.
        min_ratings: How many users must have rated a movie.
        inputs: The names of its input files.
    """

    number: int
    name: str
    method: str
    min_ratings: int
    inputs: tuple[str, ...]

    @classmethod
    def drawn(cls, chance: Random, number: int, fetched: list[str]) -> Ranking:
        """Return a ranking of some of the fetched files."""
        inputs = chance.sample(fetched, min(len(fetched), chance.randint(1, 4)))
        name = f"ranking-{number:05}{chance.choice(_ENDINGS)}"
        return cls(number, name, chance.choice(METHODS), chance.randint(1, 4), tuple(inputs))


class Ranker(threading.Thread):
    """A thread that ranks until it is stopped; then it finishes the last ranking.

    Args:
        plan: The campaign.
        commands: Runs the processes.
        folder: The folder of the campaign.
        journal: Where rankings are noted.
    """

    def __init__(self, plan: Plan, commands: Commands, folder: Path, journal: Journal) -> None:
        super().__init__(name="ranker", daemon=True)
        self._plan, self._commands, self._journal = plan, commands, journal
        self._inputs, self._outputs, self._kept = folder / "fetched", folder / "ranked", folder / "kept"
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Begin nothing new, and disturb nothing any more."""
        self._stopping.set()

    def run(self) -> None:
        """Rank whatever has been fetched so far."""
        done = [fact["number"] for fact in self._journal.facts("ranked")]
        for number in count(max(done, default=-1) + 1):
            while not (fetched := sorted({fact["name"] for fact in self._journal.facts("fetched")})):
                if self._stopping.wait(0.2):
                    return
            self._finish(Ranking.drawn(self._plan.chance("ranking", number), number, fetched))
            if self._stopping.wait(1.0):
                return

    def _finish(self, ranking: Ranking) -> None:
        for attempt in range(ATTEMPTS):
            is_calm = attempt >= CALM_AFTER or self._stopping.is_set()
            chance = self._plan.chance("disturbance of ranking", ranking.number, attempt)
            ended = self._commands.run(self._arguments(ranking), {}, CALM if is_calm else Disturbance.drawn(chance))
            if ended.fault or ended.status == DONE:
                self._keep(ranking, ended)
                return
        self._journal.note("failed", fetcher=None, number=ranking.number, fault=f"{ranking.name} never succeeded")

    def _arguments(self, ranking: Ranking) -> list[str]:
        inputs = [str(self._inputs / name) for name in ranking.inputs]
        how = ["--method", ranking.method, "--min-ratings", str(ranking.min_ratings)]
        return ["rank", "--input-path", *inputs, "--output-path", str(self._outputs / ranking.name), *how]

    def _keep(self, ranking: Ranking, ended: Ended) -> None:
        if ended.fault:
            self._journal.note("failed", fetcher=None, number=ranking.number, fault=ended.fault)
            return
        kept = f"{time.time_ns()}-{ranking.name}"
        os.link(self._outputs / ranking.name, self._kept / kept)
        os.link(self._outputs / f".{ranking.name}.manifest.json", self._kept / f"{kept}.manifest.json")
        self._journal.note(
            "ranked", number=ranking.number, name=ranking.name, file=kept, manifest=f"{kept}.manifest.json"
        )
