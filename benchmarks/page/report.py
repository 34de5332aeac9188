"""The report of a run in Markdown, and whether it met the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.memory import Memory
from benchmarks.page.api_server import Storage
from benchmarks.page.browser import Times
from benchmarks.page.rounds import AFTER, BEFORE, LOOKED, OFF, PEAK, Rounds
from benchmarks.page.views import FRAME, LIMITS, View
from benchmarks.tables import Target, table, verdicts

TIMES_HEAD = ["page", "server, ms", "first paint, ms", "loaded, ms", "complete, ms", "again: first paint, ms", "kB"]
MEMORY_HEAD = ["API server", "RSS, MB", "PSS, MB", "anonymous, MB"]
MEGABYTES = 30


def write(rounds: Rounds, notes: Sequence[str]) -> str:
    """Return all tables of a run, with medians over its rounds."""
    parts = ["\n".join(f"- {note}" for note in notes)]
    for storage in _storages(rounds):
        parts += [
            f"**{storage.name}**: opened in a window with an empty cache, and again in the same window",
            table(TIMES_HEAD, (_times_row(rounds, storage, view) for view in (*LIMITS, *rounds.views, FRAME))),
            table(MEMORY_HEAD, (_memory_row(rounds, storage, state) for state in (OFF, LOOKED, BEFORE, AFTER, PEAK))),
        ]
    parts.append(verdicts(_judge(rounds)))
    return "\n\n".join(parts) + "\n"


def _storages(rounds: Rounds) -> list[Storage]:
    return list(dict.fromkeys(storage for storage, _ in rounds.memory))


def _times_row(rounds: Rounds, storage: Storage, view: View) -> list[str]:
    cold, warm = rounds.cold[storage, view], rounds.warm[storage, view]
    figures = [_median(cold, name) for name in ("server", "paint", "load", "complete")]
    return [
        view.name,
        *(f"{figure:,.0f}" for figure in [*figures, _median(warm, "paint")]),
        f"{_median(cold, 'kilobytes'):,.0f}",
    ]


def _memory_row(rounds: Rounds, storage: Storage, state: str) -> list[str]:
    found = rounds.memory[storage, state]
    return [state, *(f"{_median(found, name):.0f}" for name in ("rss", "pss", "anonymous"))]


def _judge(rounds: Rounds) -> Iterator[Target]:
    for storage in _storages(rounds):
        paints = {view: _median(rounds.cold[storage, view], "paint") / 1000 for view in rounds.views}
        slowest = max(paints, key=lambda view: paints[view])
        yield Target(
            f"{storage.name}: first paint of each view within {storage.seconds:g} s",
            f"{paints[slowest]:.2f} s ({slowest.name})",
            paints[slowest] <= storage.seconds,
        )
        off, looked, after = (_median(rounds.memory[storage, state], "pss") for state in (OFF, LOOKED, AFTER))
        description = f"{storage.name}: the page takes at most {MEGABYTES} MB (PSS) beyond Airflow's storage libraries"
        measured = f"{after - looked:+.0f} MB, and {looked - off:+.0f} MB for those"
        yield Target(description, measured, after - looked <= MEGABYTES)


def _median(found: Sequence[Times] | Sequence[Memory], name: str) -> float:
    return float(median(getattr(each, name) for each in found))
