"""Strategies of Hypothesis for what may happen to a fetch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from unit.model import BREAKAGES, DAYS, DISTURBING, TRANSIENT, Fault, Model, Speech, State

LAST_REQUEST = 25
"""Nothing is planned for requests behind this one."""

Kill = tuple[str, int]
"""Where a run dies: ``progress`` (at the so-manieth report), ``file`` (before the so-manieth step that makes files
durable or visible), ``torn`` (the same, and the file just being written is but half there), ``request`` (when the
so-manieth request arrives)."""


@dataclass(frozen=True)
class Run:
    """One run of a fetch.

    Attributes:
        speech: What the server speaks by then.
        page_size: Rows to ask for in one request.
        start: First day of the window.
        end: First day behind it.
        kill: Where it dies; None for nowhere.
    """

    speech: Speech
    page_size: int
    start: str
    end: str
    kill: Kill | None = None

    def goes_on(self, before: Run) -> bool:
        """Whether what an earlier run left is of use."""
        return replace(self, kill=None) == replace(before, kill=None)


@dataclass(frozen=True)
class Scenario:
    """All that is known of a story beforehand.

    Attributes:
        states: The server's data.
        faults: What goes wrong with which request.
        broken: Ratings that it always sends broken.
        remembers: How many states its cursors outlive.
        runs: The fetch, again and again until one is done; the last is repeated if it fails.
        on_bad_rows: As in `fetch_ratings`.
        concurrency: As in the client's settings.
        retries: As in the client's settings.
        ending: Of the file.
        has_old_file: Whether an earlier fetch left its file.
        piece: Bytes of a piece of a streamed answer, and what is taken for many bytes or rows.
        part: Rows of a part that becomes durable.
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

    def model(self) -> Model:
        return Model(self.runs[0].speech, list(self.states), dict(self.faults), dict(self.broken), self.remembers)


requests = st.integers(0, LAST_REQUEST)
anything = st.integers(0, 999)


def half(strategy):
    """Nothing, half of the time."""
    return st.just({}) | strategy


def seldom(usual, strategy):
    """As usual, most of the time."""
    return st.integers(0, 15).flatmap(lambda number: strategy if number == 15 else st.just(usual))


@st.composite
def scenarios(draw, kills=("progress", "file", "torn")):
    runs = draw(series_of_runs(kills))
    broken = draw(half(st.dictionaries(st.integers(0, 60), st.integers(0, len(BREAKAGES) - 1), max_size=3)))
    on_bad_rows = draw(st.sampled_from(["fail", "quarantine"]))
    return Scenario(
        states=draw(histories({run.speech.kind for run in runs})),
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
        part=draw(st.sampled_from([1, 5, 250_000])),
    )


@st.composite
def speeches(draw):
    kind = draw(st.sampled_from(["offset", "section", "cursor"]))
    media = draw(st.sampled_from(["json", "ndjson", "arrow"]))
    return Speech(
        kind=kind,
        media=media,
        total=kind != "offset" or media != "json" or draw(st.booleans()),
        lie=draw(st.sampled_from([0] * 12 + [-3, -1, 1, 5])),
        clamp=draw(st.none() | st.integers(2, 9)),
        batch=draw(st.integers(1, 5)),
        chunked=draw(st.booleans()),
    )


@st.composite
def histories(draw, kinds):
    """The server's states. Offsets alone cannot show all changes: there, one insertion and one deletion at most."""
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
    """What goes wrong with which request."""
    # A few kinds in each story meet one another more often than all of them would.
    kinds = draw(st.lists(st.sampled_from(sorted({*TRANSIENT, *DISTURBING})), min_size=1, max_size=3))
    drawn = draw(half(st.dictionaries(requests, st.tuples(st.sampled_from(kinds), anything), min_size=1, max_size=8)))
    if on_bad_rows == "fail":
        return drawn
    # What is bad twice is quarantined: more than one such fault would be no passing fault any more.
    bad = [number for number, (what, _) in sorted(drawn.items()) if what in {"bad", "duplicate"}]
    return {number: fault for number, fault in drawn.items() if number not in bad[0 if is_broken else 1 :]}


@st.composite
def series_of_runs(draw, kills):
    speech, page_size = draw(speeches()), draw(st.integers(1, 12))
    start, end = draw(windows())
    runs = []
    for _ in range(draw(st.sampled_from([1, 2, 3, 0]))):
        what = draw(st.sampled_from(kills))
        last = 40 if what == "file" else 12
        # Counted from behind, because the smallest numbers are drawn most.
        runs.append(Run(speech, page_size, start, end, (what, last - draw(st.integers(0, last - 1)))))
        # Most often all is as it was; but the server may be another one, or something else be asked for.
        speech = draw(seldom(speech, speeches()))
        page_size = draw(seldom(page_size, st.integers(1, 12)))
        start, end = draw(seldom((start, end), windows()))
    return (*runs, Run(speech, page_size, start, end))


def windows():
    """Never open ones: there, no timestamp is out of the window."""
    return st.sampled_from([(DAYS[0], DAYS[3]), (DAYS[0], DAYS[2]), (DAYS[1], DAYS[2])])
