"""The job of a competitor.

This module needs only the standard library, because competitors run in several environments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.cost import measure

USUAL_PAGE_SIZE = 1_000


@dataclass(frozen=True)
class Job:
    """A window to fetch.

    Attributes:
        url: The URL of the API.
        user: The user name.
        password: The password.
        start: The first day, YYYY-MM-DD.
        end: The first day after the window.
        page_size: Rows per request; None for the client's own choice.
        concurrency: The maximum number of requests in flight, for clients that support it.
        data_format: The format to request, for clients that can choose; ``auto`` for the best one.
        output: The file to write; its extension selects the format.
    """

    url: str
    user: str
    password: str
    start: str
    end: str
    page_size: int | None
    concurrency: int
    data_format: str
    output: str

    @property
    def limit(self) -> int:
        """Rows per request of a client that cannot choose."""
        return USUAL_PAGE_SIZE if self.page_size is None else self.page_size

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of our client."""
        given = {} if self.page_size is None else {"page_size": self.page_size}
        return {**given, "concurrency": self.concurrency, "data_format": self.data_format}

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps(asdict(self))


def do(work: Callable[[Job], object]) -> None:
    """Do the job in the program's argument and print its cost as the last line."""
    job = Job(**json.loads(sys.argv[1]))
    measure(lambda: work(job))
