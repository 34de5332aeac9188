"""How much the server with minimal cost can serve, measured with wrk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.api import load as wrk
from benchmarks.client.apis import Api
from benchmarks.client.cases import (
    CONCURRENCY,
    LARGE,
    LARGE_PAGE,
    LATENCY,
    LATENCY_MS,
    OURS_ARROW,
    OURS_JSON,
    SMALL,
    SMALL_PAGE,
    SPACED_JSON,
    UNSET,
    WIDENED_ROWS,
)
from benchmarks.client.dataset import ARROW, Dataset
from benchmarks.client.job import USUAL_PAGE_SIZE
from benchmarks.client.server import FULL, SLOW
from benchmarks.client.shapes import COMPACT, SPACED, WIDENED

SECONDS = 3
# wrk repeats the requests for them.
MAX_ROWS = 200_000


@dataclass(frozen=True)
class Load:
    """Requests for full pages, or for whole streams.

    Attributes:
        description: What is requested, in words.
        api: A path of the server.
        page_size: Rows per page; None for streams.
        case: The workload and the client whose rate is compared.
    """

    description: str
    api: str
    page_size: int | None
    case: tuple[str, str]

    def paths(self, dataset: Dataset) -> tuple[list[str], int]:
        """Return the paths, and the rows of each response."""
        start, end, rows = dataset.days.first_with(min(MAX_ROWS, dataset.days.total))
        window, page_size = {"start_date": start, "end_date": end}, self.page_size or rows
        pages = (
            {**window, "offset": offset, "limit": page_size} for offset in range(0, rows - page_size + 1, page_size)
        )
        return [f"/{self.api}/ratings?{urlencode(page)}" for page in pages], page_size


LOADS = (
    Load("compact JSON, pages of 10,000", COMPACT, LARGE_PAGE, (LARGE, OURS_JSON)),
    Load("Arrow stream", FULL, None, (LARGE, OURS_ARROW)),
    Load("spaced JSON, pages of 10,000", SPACED, LARGE_PAGE, (SPACED_JSON, OURS_JSON)),
    Load("widened rows, pages of 10,000", WIDENED, LARGE_PAGE, (WIDENED_ROWS, OURS_JSON)),
    Load("compact JSON, pages of 1,000", COMPACT, USUAL_PAGE_SIZE, (UNSET, OURS_JSON)),
    Load("compact JSON, pages of 100", COMPACT, SMALL_PAGE, (SMALL, OURS_JSON)),
    Load(f"compact JSON, pages of 100, {LATENCY_MS} ms", SLOW, SMALL_PAGE, (LATENCY, OURS_JSON)),
)


@dataclass(frozen=True)
class Capacity:
    """What the server can serve.

    Attributes:
        load: What was requested.
        rows: The rows of each response.
        measured: The result of wrk.
        cpu: The processor seconds of the server per response.
    """

    load: Load
    rows: int
    measured: wrk.Measurement
    cpu: float

    @property
    def per_second(self) -> float:
        """Rows per second."""
        return self.measured.per_second * self.rows


def measure(apis: Mapping[str, Api], dataset: Dataset, folder: Path) -> Iterator[Capacity]:
    """Measure each of `LOADS` once; the list of paths goes into the folder."""
    for load in LOADS:
        api = apis[load.api]
        paths, rows = load.paths(dataset)
        accept = None if load.page_size else ARROW
        requests, cpu = api.requests() or 0, api.cpu()
        measured = wrk.measure(api.server, paths, SECONDS, folder / "paths", connections=CONCURRENCY, accept=accept)
        yield Capacity(load, rows, measured, (api.cpu() - cpu) / ((api.requests() or 0) - requests))
