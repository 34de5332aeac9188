"""Scenarios of a fetch, and the Hypothesis strategies that draw them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from unit.model import BREAKAGES, DAYS, DISTURBING, TRANSIENT, Dialect, Fault, Model, State

LAST_REQUEST = 25
"""No change or fault is drawn for a later request."""

Kill = tuple[str, int]
"""Where a run is killed, as a kind and a number N: ``progress`` (at the Nth report), ``file`` (before the Nth step that
makes files durable or visible), ``torn`` (the same, with the last file only half written) or ``request`` (when the Nth
request arrives)."""


@dataclass(frozen=True)
class Run:
    """One run of a fetch.

    Attributes:
        dialect: The server's pagination and format during this run.
        page_size: Rows per request; None if the client chooses.
        start: First day of the window.
        end: First day after the window.
        kill: Where the run is killed; None if it is not.
    """

    dialect: Dialect
    page_size: int | None
    start: str
    end: str
    kill: Kill | None = None

    def resumes(self, before: Run) -> bool:
        """Return whether this run can resume from the files of an earlier one."""
        return replace(self, kill=None, page_size=None) == replace(before, kill=None, page_size=None)


@dataclass(frozen=True)
class Scenario:
    """Everything that is known before a story is played.

    Attributes:
        states: As in `Model`.
        faults: As in `Model`.
        broken: As in `Model`.
        remembers: As in `Model`.
        runs: The runs of the fetch until one succeeds; the last is repeated if it fails.
        on_bad_rows: As in `fetch_ratings`.
        concurrency: As in the client's settings.
        retries: As in the client's settings.
        ending: The extension of the file.
        has_old_file: Whether an earlier fetch has left its file.
        piece: The client's limits on bytes and rows; see `tuning_of`.
        part: Rows of a durable part.
        early_share: How often pages are saved before their part ends; see `Tuning`.
        first_page: The first page size of a client that chooses.
        largest_page: The largest page size of a client that chooses.
    """

    states: tuple[tuple[int, State], ...]
    faults: tuple[tuple[int, Fault], ...]
    broken: tuple[tuple[int, int], ...]
    remembers: int
    runs: tuple[Run, ...]
    on_bad_rows: str
    concurrency: int
    retries: int
    ending: str
    has_old_file: bool
    piece: int
    part: int
    early_share: float
    first_page: int
    largest_page: int

    def model(self) -> Model:
        return Model(self.runs[0].dialect, list(self.states), dict(self.faults), dict(self.broken), self.remembers)


requests = st.integers(0, LAST_REQUEST)
anything = st.integers(0, 999)


def half(strategy):
    """Draw an empty dict half of the time."""
    return st.just({}) | strategy


def rarely(strategy, *, otherwise):
    """Draw from a strategy one time in sixteen."""
    return st.integers(0, 15).flatmap(lambda number: strategy if number == 15 else st.just(otherwise))


@st.composite
def scenarios(draw, kills=("progress", "file", "torn")):
    runs = draw(series_of_runs(kills))
    broken = draw(half(st.dictionaries(st.integers(0, 60), st.integers(0, len(BREAKAGES) - 1), max_size=3)))
    on_bad_rows = draw(st.sampled_from(["fail", "quarantine"]))
    return Scenario(
        states=draw(histories({run.dialect.kind for run in runs})),
        faults=tuple(sorted(draw(faults(on_bad_rows, is_broken=bool(broken))).items())),
        broken=tuple(sorted(broken.items())),
        remembers=draw(st.sampled_from([100, 1, 2])),
        runs=runs,
        on_bad_rows=on_bad_rows,
        concurrency=draw(st.sampled_from([1, 3, 8])),
        retries=draw(st.sampled_from([3, 0, 1])),
        ending=draw(st.sampled_from([".ndjson", ".csv", ".json", ".parquet", ".csv.gz"])),
        has_old_file=draw(st.booleans()),
        piece=draw(st.sampled_from([1 << 20, 1, 30, 400])),
        part=draw(st.sampled_from([1, 5, 15, 250_000])),
        early_share=draw(st.sampled_from([0.0, 1.0])),
        first_page=draw(st.integers(2, 6)),
        largest_page=draw(st.integers(6, 30)),
    )


@st.composite
def dialects(draw):
    kind = draw(st.sampled_from(["offset", "section", "cursor"]))
    media = draw(st.sampled_from(["json", "ndjson", "arrow"]))
    return Dialect(
        kind=kind,
        media=media,
        total=kind != "offset" or media != "json" or draw(st.booleans()),
        surplus=draw(st.sampled_from([0] * 12 + [-3, -1, 1, 5])),
        clamp=draw(clamps()),
        later_clamps=tuple(sorted(draw(half(st.dictionaries(requests, clamps(), max_size=3))).items())),
        refusal=draw(st.none() | st.sampled_from([400, 413, 422])),
        batch=draw(st.integers(1, 5)),
        chunked=draw(st.booleans()),
    )


def clamps():
    return st.none() | st.integers(2, 9)


@st.composite
def histories(draw, kinds):
    """Draw the server's states; with offsets, which cannot show every change, at most one insertion and one deletion."""
    state = State.of_every_second(draw(st.integers(20, 45) | st.integers(0, 45)))
    states = [(0, state)]
    for number, changes in sorted(draw(half(st.dictionaries(requests, all_changes(), max_size=4))).items()):
        for what, where in changes:
            state = state.changed(what, where)
        states.append((number, state))
    return tuple(states if "offset" not in kinds else _few(draw, states[0][1]))


def _few(draw, state):
    states = [(0, state)]
    changes = draw(st.permutations(["insert", "delete"]))[: draw(st.integers(0, 2))] if draw(st.booleans()) else []
    for number, what in zip(sorted(draw(st.tuples(requests, requests))), changes, strict=False):
        state = state.changed(what, draw(anything))
        states.append((number, state))
    return states


def all_changes():
    one = st.tuples(st.sampled_from(["insert", "delete", "overwrite"]), anything)
    return st.lists(one, min_size=1, max_size=5)


@st.composite
def faults(draw, on_bad_rows, *, is_broken):
    """Draw the faults by the number of the request."""
    # With only a few kinds in each story, faults of the same kind coincide more often.
    kinds = draw(st.lists(st.sampled_from(sorted({*TRANSIENT, *DISTURBING})), min_size=1, max_size=3))
    drawn = draw(half(st.dictionaries(requests, st.tuples(st.sampled_from(kinds), anything), min_size=1, max_size=8)))
    if on_bad_rows == "fail":
        return drawn
    # A row that is bad twice is quarantined, so a second such fault would not be transient.
    bad = [number for number, (what, _) in sorted(drawn.items()) if what in {"bad", "duplicate"}]
    return {number: fault for number, fault in drawn.items() if number not in bad[0 if is_broken else 1 :]}


@st.composite
def series_of_runs(draw, kills):
    dialect, page_size = draw(dialects()), draw(page_sizes())
    start, end = draw(windows())
    runs = []
    for _ in range(draw(st.sampled_from([1, 2, 3, 0]))):
        what = draw(st.sampled_from(kills))
        last = 40 if what == "file" else 12
        # Counted from the end, because Hypothesis draws small numbers most often.
        runs.append(Run(dialect, page_size, start, end, (what, last - draw(st.integers(0, last - 1)))))
        # Usually only the page size changes between runs; rarely, the server or the fetch is another one.
        dialect = draw(rarely(dialects(), otherwise=dialect))
        page_size = draw(st.just(page_size) | page_sizes())
        start, end = draw(rarely(windows(), otherwise=(start, end)))
    return (*runs, Run(dialect, page_size, start, end))


def page_sizes():
    return st.none() | st.integers(1, 12)


def windows():
    """Draw a window with both bounds: no timestamp lies outside an open one."""
    return st.sampled_from([(DAYS[0], DAYS[3]), (DAYS[0], DAYS[2]), (DAYS[1], DAYS[2])])
