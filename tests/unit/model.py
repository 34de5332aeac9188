"""The model that a fetch is tested against: a server, its changing data, and its faults.

Everything that happens depends only on the number of the request, so that a scenario can be drawn in advance.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import polars as pl
from unit.model_server import Query, Reply

DAY = 86_400
DAYS = ("1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05")
MAX_ROWS = 96

Row = dict[str, Any]
Media = Literal["json", "ndjson", "arrow"]
MEDIA_TYPES: dict[Media, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}
SCHEMA = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
_ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def rating(number: int, stars: float | None = None) -> Row:
    """Return the ``number``-th of all possible ratings in canonical order: four per second, spread over three days."""
    return {
        "userId": number % 4 // 2 + 1,
        "movieId": number + 1,
        "rating": (number * 7 % 10 + 1) / 2 if stars is None else stars,
        "timestamp": DAY + number // 4 * (3 * DAY // (MAX_ROWS // 4)),
    }


@dataclass(frozen=True)
class State:
    """The server's data at one moment: the numbers of its ratings, and their stars."""

    stars: tuple[tuple[int, float | None], ...]

    @classmethod
    def of_every_second(cls, count: int) -> State:
        """Return a state with every second rating, so that one can be inserted before and after each."""
        return cls(tuple((2 * number + 1, None) for number in range(count)))

    def changed(self, what: str, where: int) -> State:
        """Return the state after a rating was inserted, deleted or overwritten; the same state if there is none."""
        stars = dict(self.stars)
        if what == "insert":
            free = [number for number in range(2 * len(stars) + 3) if number not in stars and number < MAX_ROWS]
            stars |= {free[where % len(free)]: None} if free else {}
        elif stars:
            number = sorted(stars)[where % len(stars)]
            if what == "delete":
                del stars[number]
            else:
                stars[number] = 5.0 if rating(number, stars[number])["rating"] != 5.0 else 0.5
        return State(tuple(sorted(stars.items())))

    def rows(self, start: str | None, end: str | None) -> list[Row]:
        """Return the ratings of a window."""
        first = _seconds(start) if start else 0
        last = _seconds(end) if end else 1 << 62
        return [row for number, stars in self.stars if first <= (row := rating(number, stars))["timestamp"] < last]


def _seconds(day: str) -> int:
    return DAY * (date.fromisoformat(day) - date(1970, 1, 1)).days


Fault = tuple[str, int]
"""The kind of a fault, and a number from 0 that selects its place or form."""

TRANSIENT = ("status", "reset", "cut", "truncated", "html", "duplicate", "bad", "short", "empty")
"""Faults that a retry of the request fixes."""
DISTURBING = ("repeated", "gone", "short", "empty")
"""Faults after which a window may have to start over."""
_STATUS = ((503, None), (429, "0"), (500, None), (429, None), (503, "0"), (502, None), (408, None))
BREAKAGES: tuple[Row, ...] = (
    {"rating": 7.0},
    {"rating": 3.7},
    {"rating": 0.0},
    {"rating": 5.5},
    {"userId": "1"},
    {"timestamp": "0"},
    {"rating": None},
    {"movieId": 2**40},
    {"userId": None, "movieId": None, "rating": None, "timestamp": None},
)
_BREAKAGES_OF_ARROW = 4
"""Further ones would change the schema of the Arrow stream."""


@dataclass(frozen=True)
class Dialect:
    """The server's pagination and format.

    Attributes:
        kind: Its kind of pagination.
        media: Its only format.
        total: Whether its responses hold a total.
        surplus: How much too high the total is.
        clamp: The largest page; None for no limit.
        later_clamps: How large the largest page is from which request on.
        refusal: The status with which it refuses to send a larger page; None if it sends the largest one instead.
        batch: Rows in each record batch of Arrow.
        chunked: Whether it sends responses without a length.
    """

    kind: Literal["offset", "cursor", "section"]
    media: Media = "json"
    total: bool = True
    surplus: int = 0
    clamp: int | None = None
    later_clamps: tuple[tuple[int, int | None], ...] = ()
    refusal: int | None = None
    batch: int = 3
    chunked: bool = False

    def clamp_at(self, number: int) -> int | None:
        """Return the largest page at the request with this number."""
        return [self.clamp, *(clamp for since, clamp in self.later_clamps if since <= number)][-1]

    def refuses(self, query: Query, clamp: int | None) -> bool:
        """Return whether a query asks for too large a page."""
        return self.refusal is not None and clamp is not None and int(query.get("limit", 0)) > clamp

    @property
    def smallest_clamp(self) -> int | None:
        """The smallest of the largest pages."""
        return min((clamp for _, clamp in ((0, self.clamp), *self.later_clamps) if clamp is not None), default=None)


@dataclass
class Model:
    """A server, as a `Respond` for `model_server.serve`.

    Attributes:
        dialect: Its pagination and format.
        states: Its states, each with the number of the request from which it is current.
        faults: Its faults, by the number of the request.
        broken: The numbers of the ratings that are always sent broken, and the breakage of each.
        remembers: How many of the latest states its cursors can read.
        fired: The faults that have happened.
        now: The state at the last request.
    """

    dialect: Dialect
    states: list[tuple[int, State]]
    faults: dict[int, Fault] = field(default_factory=dict)
    broken: dict[int, int] = field(default_factory=dict)
    remembers: int = 100
    fired: list[str] = field(default_factory=list)
    now: int = 0

    def __call__(self, query: Query, number: int) -> Reply:
        self.now = max(index for index, (since, _) in enumerate(self.states) if since <= number)
        clamp = self.dialect.clamp_at(number)
        at = self._position(query, clamp)
        if at is None:
            return Reply(b'{"detail": "no such cursor"}', 410)
        if self.dialect.refuses(query, clamp):
            return Reply(f'{{"detail": "limit: at most {clamp}"}}'.encode(), self.dialect.refusal or 400)
        fault, where = self._fault(number, at)
        if fault == "status":
            status, retry_after = _STATUS[where % len(_STATUS)]
            return Reply(b"busy", status, {"Retry-After": retry_after} if retry_after else {})
        if fault == "gone":
            return Reply(b'{"detail": "gone"}', 410)
        reply = self._page(at, fault, where)
        if fault == "html":
            reply.body, reply.headers["Content-Type"] = b"<html>Welcome to this network!</html>", "text/html"
        if fault == "truncated":
            reply.body = reply.body[: where % max(len(reply.body), 1)]
        reply.reset = fault == "reset"
        reply.cut_at = where % 100 / 99 if fault == "cut" else None
        return reply

    def rows(self, index: int, start: str | None, end: str | None) -> list[Row]:
        """Return the ratings of a window in a state, as they are sent."""
        return [
            row if (number := row["movieId"] - 1) not in self.broken else self._break(row, self.broken[number])
            for row in self.states[index][1].rows(start, end)
        ]

    def _fault(self, number: int, at: _Position) -> Fault:
        fault, where = self.faults.get(number, ("", 0))
        if not fault or not self._is_noticeable(fault, at):
            return "", 0
        self.fired.append(fault)
        return fault, where

    def _is_noticeable(self, fault: str, at: _Position) -> bool:
        """Return whether a client can notice a fault: without a total, a short page may be the last one."""
        if fault not in {"empty", "short", "truncated"}:
            return True
        if self.dialect.surplus:
            return False
        return self.dialect.total or fault == "truncated" or (fault == "empty" and at.offset > 0)

    def _position(self, query: Query, clamp: int | None) -> _Position | None:
        is_in_snapshot = self.dialect.kind != "offset" and "cursor" in query
        if not is_in_snapshot:
            at = _Position(
                self.now, query.get("start_date"), query.get("end_date"), int(query.get("offset", 0)), MAX_ROWS
            )
        else:
            state, start, end, offset, limit = query["cursor"].split(".")
            at = _Position(int(state), start or None, end or None, int(offset), int(limit))
            if at.index <= self.now - self.remembers:
                return None
            if "offset" in query:
                at = replace(at, offset=int(query["offset"]), limit=MAX_ROWS)
        if "limit" in query:
            at = replace(at, limit=int(query["limit"]))
        is_stream = is_in_snapshot and "offset" in query and "limit" not in query
        if clamp is not None and not is_stream:
            at = replace(at, limit=min(at.limit, clamp))
        return at

    def _page(self, at: _Position, fault: str, where: int) -> Reply:
        rows = self.rows(at.index, at.start, at.end)
        offset = max(at.offset - at.limit, 0) if fault == "repeated" else at.offset
        page = self._spoiled(rows[offset : offset + at.limit], fault, where)
        headers = {"Content-Type": MEDIA_TYPES[self.dialect.media], **self._links(at, len(rows))}
        total = max(len(rows) + self.dialect.surplus, 0)
        if self.dialect.total:
            headers["X-Total-Count"] = str(total)
        body = _encoded(page, self.dialect, at, total if self.dialect.total else None)
        return Reply(body, headers=headers, chunked=self.dialect.chunked)

    def _links(self, at: _Position, count: int) -> dict[str, str]:
        if self.dialect.kind == "offset":
            return {}
        headers = {"Snapshot": f"s{at.index}"}
        if (following := at.offset + at.limit) < count:
            token = f"?cursor={at.index}.{at.start or ''}.{at.end or ''}.{following}.{at.limit}"
            headers["Link"] = f'<{token}>; rel="next"'
            if self.dialect.kind == "section":
                headers["Link-Template"] = f'"{token}{{&offset,limit}}"; rel="section"'
        return headers

    def _spoiled(self, page: list[Row], fault: str, where: int) -> list[Row]:
        place = where % len(page) if page else 0
        if fault == "empty":
            return []
        if fault == "short":
            return page[:place]
        if fault == "duplicate" and page:
            return [*page[: place + 1], *page[place:]]
        if fault == "bad" and page:
            return [*page[:place], self._break(page[place], where), *page[place + 1 :]]
        return page

    def _break(self, row: Row, how: int) -> Row:
        known = len(BREAKAGES) if self.dialect.media != "arrow" else _BREAKAGES_OF_ARROW
        return row | BREAKAGES[how % known]


@dataclass(frozen=True)
class _Position:
    index: int
    start: str | None
    end: str | None
    offset: int
    limit: int


def _encoded(page: list[Row], dialect: Dialect, at: _Position, total: int | None) -> bytes:
    if dialect.media == "json":
        extra = {} if total is None else {"total": total}
        return json.dumps({"result": page, "offset": at.offset, "limit": at.limit, **extra}).encode()
    if dialect.media == "ndjson":
        return b"".join(json.dumps(row).encode() + b"\n" for row in page)
    edges = [*range(0, len(page), dialect.batch), len(page)]
    batches = [_arrow(page[first:last])[len(_arrow_schema()) : -len(_ARROW_END)] for first, last in pairwise(edges)]
    return b"".join([_arrow_schema(), *batches, _ARROW_END])


def _arrow(rows: list[Row]) -> bytes:
    return pl.DataFrame(rows, schema=SCHEMA).write_ipc_stream(None).getvalue()


@lru_cache(1)
def _arrow_schema() -> bytes:
    stream = _arrow([])
    return stream[: 8 + int.from_bytes(stream[4:8], "little")]
