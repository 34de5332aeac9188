"""A server that only counts ratings, for triggers; a test may add ratings while it runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unit.scripted_server import Response, ScriptedServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class CountingServer:
    """The day of each rating, and how often each window was counted; ``status`` other than 200 is an outage."""

    http: ScriptedServer
    days: list[str] = field(default_factory=list)
    status: int = 200

    def add(self, *days: str) -> None:
        self.days += days

    def counted(self, start: str | None = None) -> int:
        return len([query for _, query, _ in self.http.requests if query.get("start_date") == start])

    def respond(self, query: dict[str, str]) -> Response:
        first, beyond = query.get("start_date", ""), query.get("end_date", "9999")
        total = len([day for day in self.days if first <= day < beyond])
        envelope = {"result": [], "offset": 0, "limit": 0, "total": total}
        return Response(envelope if self.status == 200 else {"detail": "not now"}, self.status)


@contextmanager
def serve_counts() -> Iterator[CountingServer]:
    with serve(lambda _path, query, _number: server.respond(query)) as http:
        server = CountingServer(http)
        yield server
