"""The measured cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.client.dataset import SHAPED_ROWS
from benchmarks.client.peers import CURL, DLT, HTTP_OPERATOR, NAIVE, OPERATOR, OURS, Peer
from benchmarks.client.server import FULL, SLOW
from benchmarks.client.shapes import COMPACT, SPACED, WIDENED

LARGE, FEW = "Large pages", "Large pages, few rows"
SPACED_JSON, WIDENED_ROWS = "Spaced JSON", "Widened rows"
UNSET, SMALL, LATENCY = "No page size given", "Small pages", "Small pages, 20 ms"
SERVED = "End to end"
NAMES = {
    LARGE: "compact JSON in pages of 10,000, or an Arrow stream",
    FEW: "the same with few rows, to see how memory grows",
    SPACED_JSON: "JSON with spaces, as `json.dumps` writes it, in pages of 10,000",
    WIDENED_ROWS: "two more columns in each row, a text and a nullable object, in pages of 10,000",
    UNSET: "compact JSON in pages of our client's choice, or an Arrow stream; the others are given 1,000",
    SMALL: "compact JSON in pages of 100, without latency",
    LATENCY: "compact JSON in pages of 100, 20 ms of latency",
    SERVED: "as the first, from movielens-api in one process, including its own work",
}
NAIVE_CLIENT, DLT_CLIENT, LIMIT = "naive", "dlt", "curl"
OURS_JSON, OURS_ARROW = "ours, JSON", "ours, Arrow"
OPERATOR_JSON, OPERATOR_ARROW = "our operator, JSON", "our operator, Arrow"
LARGE_PAGE, SMALL_PAGE = 10_000, 100
MOVIELENS_API = "movielens-api"
LATENCY_MS, CONCURRENCY = 20, 16


@dataclass(frozen=True)
class Case:
    """A workload for one client.

    Attributes:
        workload: One of `NAMES`.
        client: The name of the client in tables.
        peer: The client.
        api: The server: a path of the server with minimal cost, or ``movielens-api``.
        rows: The minimum number of rows to fetch, in whole days from the first one.
        page_size: Rows per request; None for the client's own choice.
        data_format: The format to request, for clients that can choose.
    """

    workload: str
    client: str
    peer: Peer
    api: str
    rows: int
    page_size: int | None
    data_format: str = "auto"


def cases(rows: int) -> Iterator[Case]:
    """Yield the cases of a round.

    The other clients fetch fewer rows: that hardly changes their rates, and the naive client's memory grows with them.

    Args:
        rows: The number of all ratings.
    """

    def up_to(most: int) -> int:
        return min(rows, most)

    yield Case(LARGE, NAIVE_CLIENT, NAIVE, COMPACT, up_to(500_000), LARGE_PAGE)
    yield Case(LARGE, OURS_JSON, OURS, COMPACT, rows, LARGE_PAGE)
    yield Case(LARGE, OPERATOR_JSON, OPERATOR, COMPACT, rows, LARGE_PAGE)
    yield Case(LARGE, OURS_ARROW, OURS, FULL, rows, LARGE_PAGE)
    yield Case(LARGE, OPERATOR_ARROW, OPERATOR, FULL, rows, LARGE_PAGE)
    yield Case(LARGE, LIMIT, CURL, COMPACT, rows, LARGE_PAGE)
    yield Case(FEW, OURS_JSON, OURS, COMPACT, up_to(100_000), LARGE_PAGE)
    yield Case(FEW, OURS_ARROW, OURS, FULL, up_to(100_000), LARGE_PAGE)
    for workload, shape in ((SPACED_JSON, SPACED), (WIDENED_ROWS, WIDENED)):
        yield Case(workload, NAIVE_CLIENT, NAIVE, shape, up_to(200_000), LARGE_PAGE)
        yield Case(workload, DLT_CLIENT, DLT, shape, up_to(50_000), LARGE_PAGE)
        yield Case(workload, OURS_JSON, OURS, shape, up_to(SHAPED_ROWS), LARGE_PAGE)
    yield Case(UNSET, NAIVE_CLIENT, NAIVE, COMPACT, up_to(200_000), None)
    yield Case(UNSET, "HttpOperator", HTTP_OPERATOR, COMPACT, up_to(100_000), None)
    yield Case(UNSET, DLT_CLIENT, DLT, COMPACT, up_to(50_000), None)
    yield Case(UNSET, OURS_JSON, OURS, COMPACT, up_to(1_000_000), None)
    yield Case(UNSET, OPERATOR_JSON, OPERATOR, COMPACT, up_to(1_000_000), None)
    yield Case(UNSET, OURS_ARROW, OURS, FULL, up_to(1_000_000), None)
    yield Case(SMALL, NAIVE_CLIENT, NAIVE, COMPACT, up_to(100_000), SMALL_PAGE)
    yield Case(SMALL, DLT_CLIENT, DLT, COMPACT, up_to(20_000), SMALL_PAGE)
    yield Case(SMALL, OURS_JSON, OURS, COMPACT, up_to(200_000), SMALL_PAGE)
    yield Case(LATENCY, NAIVE_CLIENT, NAIVE, SLOW, up_to(20_000), SMALL_PAGE)
    yield Case(LATENCY, DLT_CLIENT, DLT, SLOW, up_to(20_000), SMALL_PAGE)
    yield Case(LATENCY, OURS_JSON, OURS, SLOW, up_to(100_000), SMALL_PAGE)
    yield Case(SERVED, NAIVE_CLIENT, NAIVE, MOVIELENS_API, up_to(200_000), LARGE_PAGE)
    yield Case(SERVED, OURS_JSON, OURS, MOVIELENS_API, rows, LARGE_PAGE, "json")
    yield Case(SERVED, OURS_ARROW, OURS, MOVIELENS_API, rows, LARGE_PAGE, "arrow")
