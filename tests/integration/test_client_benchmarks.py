"""The harness of `make bench-client`, without HttpOperator and dlt, which `make test` does not install."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from itertools import pairwise

import polars as pl
import pytest
import requests
from polars.testing import assert_frame_equal

from airflow_movielens.client import MovielensClient
from benchmarks.api.load import Measurement as Load
from benchmarks.api.peers import Ours
from benchmarks.client import report
from benchmarks.client.__main__ import ONE_ROW
from benchmarks.client.apis import bare_apis, start_bare
from benchmarks.client.capacity import LOADS, Capacity
from benchmarks.client.cases import LARGE, LATENCY, LIMIT, OURS_JSON, SMALL, SPACED_JSON, UNSET, Case, cases
from benchmarks.client.dataset import ARROW, Dataset, prepare
from benchmarks.client.peers import CURL, NAIVE, OPERATOR, OURS
from benchmarks.client.results import Measurement, Results
from benchmarks.client.rounds import Rounds
from benchmarks.client.server import FULL
from benchmarks.client.shapes import COMPACT, SPACED, WIDENED
from benchmarks.client.targets import judge, times_floor
from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError

ROWS, SHAPED_ROWS = 20_000, 15_000


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Prepare a dataset, and serve it with the server with minimal cost."""
    folder = tmp_path_factory.mktemp("benchmarks")
    api = Ours(f"synthetic:{ROWS}", folder, workers=1).start(folder)
    try:
        api.wait_until_ready(ONE_ROW)
        prepare(api, folder / "prepared", SHAPED_ROWS)
    finally:
        api.stop()
    bare = start_bare(folder / "prepared", folder)
    try:
        bare.wait_until_ready(f"/{COMPACT}{ONE_ROW}")
        yield Rounds(Dataset(folder / "prepared"), bare_apis(bare), folder, Results())
    finally:
        bare.stop()


def window_of(rounds, rows=ROWS):
    start, end, _ = rounds.dataset.days.first_with(rows)
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def test_the_installed_clients_fetch_exactly_the_right_rows(rounds):
    shaped_rows = rounds.dataset.days.first_with(SHAPED_ROWS)[2]
    assert shaped_rows < ROWS
    for client, peer, api, page_size in (
        ("naive", NAIVE, COMPACT, None),
        ("naive, widened", NAIVE, WIDENED, 10_000),
        ("ours", OURS, COMPACT, 10_000),
        ("ours, spaced", OURS, SPACED, None),
        ("ours, widened", OURS, WIDENED, 10_000),
        ("ours, Arrow", OURS, FULL, 10_000),
        ("operator", OPERATOR, FULL, None),
        ("curl", CURL, COMPACT, 10_000),
    ):
        rows = SHAPED_ROWS if api in {SPACED, WIDENED} else ROWS
        rounds.measure(Case("any", client, peer, api, rows, page_size))
    seen = rounds.results.series["any"]
    for series in seen.values():
        assert series.rows in {ROWS, shaped_rows}
        assert series.seconds > 0
        assert series.cpu > 0
        assert 0 < series.server_share < 1
    assert seen["ours"].megabytes > 50
    assert (seen["naive"].requests, seen["naive, widened"].requests, seen["curl"].requests) == (20, 2, 2)


@dataclass(frozen=True)
class Wrong:
    """Our client, whose file is damaged afterwards."""

    damage: Callable[[pl.DataFrame], pl.DataFrame]
    ending: str = ".parquet"

    def fetch(self, job, rows, folder):
        cost = OURS.fetch(job, rows, folder)
        self.damage(pl.read_parquet(job.output)).write_parquet(job.output)
        return cost


@pytest.mark.parametrize(
    "damage",
    [
        lambda right: right[1:],
        lambda right: right[::-1],
        lambda right: right.with_columns(pl.col("rating").clip(upper_bound=4.5)),
    ],
)
def test_a_client_with_wrong_rows_ends_the_run(rounds, damage):
    with pytest.raises(BenchmarkError, match="is wrong"):
        rounds.measure(Case("wrong", "ours", Wrong(damage), COMPACT, ROWS, 10_000))
    assert not (rounds.folder / "written").exists()


def test_the_bare_server_serves_days_pages_and_sections(rounds):
    window, days = window_of(rounds), rounds.dataset.days
    with MovielensClient(rounds.apis[COMPACT].url) as client:
        day = days.days[len(days.days) // 2]
        later = days.days[len(days.days) // 2 + 3]
        assert client.count_ratings(day, later) == days.between(day, later) > 0
        assert_frame_equal(
            pl.concat(client.get_rating_frames(day, later, batch_size=2)), rounds.dataset.window(day, later)
        )
    address = f"{rounds.apis[FULL].url}/ratings"
    first = requests.get(address, {**window, "offset": 0, "limit": 30}, headers={"Accept": ARROW})
    assert (first.headers["Content-Type"], first.headers["X-Total-Count"]) == (ARROW, str(ROWS))
    template, _, relation = first.headers["Link-Template"].partition(";")
    assert relation.strip() == 'rel="section"'
    section = template.strip('"').removesuffix("{&offset,limit}")
    rest = requests.get(f"{address}{section}&offset=30", headers={"Accept": ARROW})
    assert "Link-Template" not in rest.headers
    whole = pl.concat(pl.read_ipc_stream(response.content) for response in (first, rest))
    assert_frame_equal(whole, rounds.dataset.ratings)
    page = requests.get(f"{address}{section}&offset={ROWS - 2}&limit=5").json()
    assert page["result"] == whole[-2:].to_dicts()
    assert {name: page[name] for name in ("offset", "limit", "total")} == {
        "offset": ROWS - 2,
        "limit": 5,
        "total": ROWS,
    }


def test_pages_of_other_shapes_hold_the_same_ratings(rounds):
    query = {**window_of(rounds, SHAPED_ROWS), "offset": 3, "limit": 12}
    compact, spaced, widened = (
        requests.get(f"{rounds.apis[name].url}/ratings", query) for name in (COMPACT, SPACED, WIDENED)
    )
    assert len(compact.json()["result"]) == query["limit"]
    assert compact.text == json.dumps(compact.json(), separators=(",", ":"))
    assert spaced.text == json.dumps(compact.json())
    found = widened.json()
    titles, devices = ({json.dumps(row.pop(name)) for row in found["result"]} for name in ("title", "device"))
    assert found == compact.json()
    assert {character for title in titles for character in title} > set('",{}[]:')
    assert {type(json.loads(device)) for device in devices} == {dict, type(None)}
    assert requests.get(f"{rounds.apis[SPACED].url}/ratings", {**query, "limit": 0}).json()["result"] == []
    days = rounds.dataset.days.days
    beyond = {"start_date": days[-1].isoformat(), "end_date": "2100-01-01"}
    assert requests.get(f"{rounds.apis[SPACED].url}/ratings", beyond).json() == {
        "result": [],
        "offset": 0,
        "limit": 100,
        "total": 0,
    }


def test_a_request_may_arrive_in_pieces_and_the_server_counts_requests_for_rows(rounds):
    api = rounds.apis[COMPACT]
    before = api.requests()
    address = ("127.0.0.1", api.server.port)
    with socket.create_connection(address, timeout=30) as connection, connection.makefile("rb") as received:
        for piece in (b"GET /compact/ratings?limit=1 HT", b"TP/1.1\r\nHost: any\r\n\r", b"\n"):
            connection.sendall(piece)
            # The server has read the piece before it responds to this.
            assert api.requests() >= before
        assert received.readline() == b"HTTP/1.1 200 OK\r\n"
    assert requests.get(f"{api.url}/movies").status_code == HTTPStatus.NOT_FOUND
    assert api.requests() == before + 1


def test_what_wrk_requests_are_full_responses(rounds):
    for load in LOADS:
        paths, rows = load.paths(rounds.dataset)
        for path in {paths[0], paths[0] if load.api in {SPACED, WIDENED} else paths[-1]}:
            status, body = rounds.apis[load.api].server.get(
                path, Accept="application/json" if load.page_size else ARROW
            )
            found = json.loads(body)["result"] if load.page_size else pl.read_ipc_stream(body)
            assert (status, len(found)) == (HTTPStatus.OK, rows), load.description


def test_windows_are_the_fewest_whole_days_with_enough_rows(rounds):
    days = rounds.dataset.days
    for rows in (1, 100, ROWS // 2, ROWS):
        start, end, found = days.first_with(rows)
        assert found == days.between(start, end) >= rows
        before = max(day for day in [date(1970, 1, 1), *days.days] if day < end)
        assert days.between(start, before) < rows


def measured(seconds=1.0, cpu=1.0, megabytes=150.0, server_cpu=0.1):
    return Measurement(Cost(seconds, cpu, megabytes), server_cpu, 500)


def test_targets_are_judged_by_medians():
    results = Results(capacities=[Capacity(load, 100, Load(1_000_000, 0.5, 1), 9e-6) for load in LOADS])
    for case in cases(5_000_000):
        for seconds in (100.0, 1.0, 0.5):
            results.add(case, case.rows, measured(seconds))
    written = report.write(results)
    assert "| ours, JSON | 5,000,000 | 500 | 1.00 | 5,000,000 | 10.00 | 1.000 | 0.20 | 9% | 10% | 150 |" in written
    assert "| naive | 100,000 | 500 | 1.00 | 100,000 | 1.00 | 1.00 | 9% | 10% | 150 |" in written
    assert "| compact JSON, pages of 10,000 | 1,000,000 | 100,000,000 | 0.50 | 9 | 5.0% |" in written
    met = {target.description: target.met for target in judge(results)}
    assert not met["Large pages, ours, JSON: at least 15 x naive"]
    assert met["Large pages, ours, JSON: at least 0.11 of curl"]
    assert not met["Spaced JSON: at least 0.5 of compact JSON"]
    assert not met["Small pages: CPU per page at most 0.35 of naive's"]
    assert met["Small pages, 20 ms: at most 1.5 x the floor"]
    assert met["the server takes at most 20% of the CPU while ours fetches"]
    assert times_floor(results.series[LATENCY][OURS_JSON]) == pytest.approx(1 / 1.25)

    results.series[LARGE][LIMIT].measurements[:] = [measured(0.01, 0.01, None)]
    results.series[LARGE][OURS_JSON].measurements.append(measured(megabytes=191.0))
    results.series[SPACED_JSON][OURS_JSON].measurements[:] = [measured(0.4)]
    results.series[SMALL][OURS_JSON].measurements[:] = [measured(cpu=0.7)]
    results.series[UNSET][OURS_JSON].measurements[:] = [measured(server_cpu=0.3)]
    met = {target.description: (target.measured, target.met) for target in judge(results)}
    assert met["Large pages, ours, JSON: at least 0.11 of curl"] == ("0.010", False)
    assert met["Spaced JSON: at least 0.5 of compact JSON"] == ("0.50", True)
    assert met["Small pages: CPU per page at most 0.35 of naive's"] == ("0.35", True)
    assert met["ours, JSON: at most 190 MB for 5,000,000 rows"] == ("191 MB", False)
    assert met["ours, JSON: at most 20 MB more than for 100,000 rows"] == ("+41 MB", False)
    assert met["ours, Arrow: at most 190 MB for 5,000,000 rows"] == ("150 MB", True)
    assert met["the operator adds at most 10% to: ours, JSON"] == ("+0.0%", True)
    share = ("23% (No page size given, ours, JSON)", False)
    assert met["the server takes at most 20% of the CPU while ours fetches"] == share


def test_every_workload_has_its_own_clients():
    seen = [(case.workload, case.client) for case in cases(ROWS)]
    assert all(one != other for one, other in pairwise(sorted(seen)))
