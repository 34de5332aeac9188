"""The measured cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.client.peers import CURL, DLT, HTTP_OPERATOR, NAIVE, OPERATOR, OURS, Peer

LARGE, FEW, SMALL, LATENCY, SERVED = "W1", "W1, few rows", "Frameworks", "W2", "End to end"
NAMES = {
    LARGE: "JSON in pages of 10,000, or an Arrow stream, to a file",
    FEW: "the same with few rows, to see how memory grows",
    SMALL: "JSON in pages of 1,000, or an Arrow stream, to a file",
    LATENCY: "JSON in pages of 100, 20 ms of latency",
    SERVED: "as W1, from movielens-api in one process, including its own work",
}
NAIVE_CLIENT, LIMIT = "naive", "curl"
OURS_JSON, OURS_ARROW = "ours, JSON", "ours, Arrow"
OPERATOR_JSON, OPERATOR_ARROW = "our operator, JSON", "our operator, Arrow"
# A naive client's memory is linear in rows, and its rate does not change: fewer rows are enough.
MAX_FOR_NAIVE, MAX_SMALL, MAX_NAIVE_LATENCY = 500_000, 100_000, 20_000
LATENCY_MS, CONCURRENCY = 20, 16
LATENCY_PAGE = 100


@dataclass(frozen=True)
class Case:
    """A workload for one client.

    Attributes:
        workload: One of `NAMES`.
        client: The name of the client in tables.
        peer: The client.
        api: The server: a path of the server with minimal cost, or ``movielens-api``.
        rows: The minimum number of rows to fetch, in whole days from the first one.
        page_size: Rows per request.
        data_format: The format to request, for clients that can choose.
    """

    workload: str
    client: str
    peer: Peer
    api: str
    rows: int
    page_size: int
    data_format: str = "auto"


def cases(rows: int) -> Iterator[Case]:
    """Yield the cases of a round.

    Args:
        rows: The number of all ratings.
    """
    few, small, tiny = (min(rows, most) for most in (MAX_FOR_NAIVE, MAX_SMALL, MAX_NAIVE_LATENCY))
    yield Case(LARGE, NAIVE_CLIENT, NAIVE, "plain", few, 10_000)
    yield Case(LARGE, OURS_JSON, OURS, "plain", rows, 10_000)
    yield Case(LARGE, OPERATOR_JSON, OPERATOR, "plain", rows, 10_000)
    yield Case(LARGE, OURS_ARROW, OURS, "full", rows, 10_000)
    yield Case(LARGE, OPERATOR_ARROW, OPERATOR, "full", rows, 10_000)
    yield Case(LARGE, LIMIT, CURL, "plain", rows, 10_000)
    yield Case(FEW, OURS_JSON, OURS, "plain", small, 10_000)
    yield Case(FEW, OURS_ARROW, OURS, "full", small, 10_000)
    yield Case(SMALL, NAIVE_CLIENT, NAIVE, "plain", small, 1_000)
    yield Case(SMALL, "HttpOperator", HTTP_OPERATOR, "plain", small, 1_000)
    yield Case(SMALL, "dlt", DLT, "plain", small, 1_000)
    yield Case(SMALL, OURS_JSON, OURS, "plain", small, 1_000)
    yield Case(SMALL, OURS_ARROW, OURS, "full", small, 1_000)
    yield Case(LATENCY, NAIVE_CLIENT, NAIVE, "slow", tiny, LATENCY_PAGE)
    yield Case(LATENCY, OURS_JSON, OURS, "slow", small, LATENCY_PAGE)
    yield Case(SERVED, NAIVE_CLIENT, NAIVE, "movielens-api", few, 10_000)
    yield Case(SERVED, OURS_JSON, OURS, "movielens-api", rows, 10_000, "json")
    yield Case(SERVED, OURS_ARROW, OURS, "movielens-api", rows, 10_000, "arrow")
