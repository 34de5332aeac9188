"""The harness of `make bench-client`, without HttpOperator and dlt, which `make test` does not install."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import polars as pl
import pytest
import requests
from polars.testing import assert_frame_equal

from airflow_movielens.client import MovielensClient
from benchmarks.api.peers import Ours
from benchmarks.client import report
from benchmarks.client.__main__ import ONE_ROW, start_bare
from benchmarks.client.cases import LARGE, LATENCY, LIMIT, OURS_JSON, Case, cases
from benchmarks.client.dataset import ARROW, Dataset, prepare
from benchmarks.client.peers import CURL, NAIVE, OPERATOR, OURS
from benchmarks.client.results import Results
from benchmarks.client.rounds import Rounds
from benchmarks.client.targets import judge, times_floor
from benchmarks.cost import Cost
from benchmarks.failure import BenchmarkError

ROWS = 20_000


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Prepare a dataset, and serve it with the server with minimal cost."""
    folder = tmp_path_factory.mktemp("benchmarks")
    api = Ours(f"synthetic:{ROWS}", folder, workers=1).start(folder)
    try:
        api.wait_until_ready(ONE_ROW)
        prepare(api, folder / "prepared")
    finally:
        api.stop()
    bare = start_bare(folder / "prepared", folder)
    try:
        bare.wait_until_ready(f"/plain{ONE_ROW}")
        addresses = {name: f"http://127.0.0.1:{bare.port}/{name}" for name in ("plain", "slow", "full")}
        yield Rounds(Dataset(folder / "prepared"), addresses, folder, Results())
    finally:
        bare.stop()


def window_of(rounds):
    start, end, rows = rounds.dataset.days.first_with(ROWS)
    assert rows == ROWS
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def test_the_installed_clients_fetch_exactly_the_right_rows(rounds):
    for client, peer, api in (
        ("naive", NAIVE, "plain"),
        ("ours", OURS, "plain"),
        ("ours, Arrow", OURS, "full"),
        ("operator", OPERATOR, "full"),
        ("curl", CURL, "plain"),
    ):
        rounds.measure(Case("any", client, peer, api, ROWS, 10_000))
    for series in rounds.results.series["any"].values():
        assert series.rows == ROWS
        assert series.seconds > 0
        assert series.cpu > 0
    assert rounds.results.series["any"]["ours"].megabytes > 50


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
        rounds.measure(Case("wrong", "ours", Wrong(damage), "plain", ROWS, 10_000))
    assert not (rounds.folder / "written").exists()


def test_the_bare_server_serves_days_pages_and_sections(rounds):
    window, days = window_of(rounds), rounds.dataset.days
    with MovielensClient(rounds.apis["plain"]) as client:
        day = days.days[len(days.days) // 2]
        later = days.days[len(days.days) // 2 + 3]
        assert client.count_ratings(day, later) == days.between(day, later) > 0
        assert_frame_equal(
            pl.concat(client.get_rating_frames(day, later, batch_size=2)), rounds.dataset.window(day, later)
        )
    address = f"{rounds.apis['full']}/ratings"
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


def test_windows_are_the_fewest_whole_days_with_enough_rows(rounds):
    days = rounds.dataset.days
    for rows in (1, 100, ROWS // 2, ROWS):
        start, end, found = days.first_with(rows)
        assert found == days.between(start, end) >= rows
        before = max(day for day in [date(1970, 1, 1), *days.days] if day < end)
        assert days.between(start, before) < rows


def test_targets_are_judged_by_medians():
    results = Results()
    for case in cases(5_000_000):
        for seconds in (100.0, 1.0, 0.5):
            results.add(case, case.rows, Cost(seconds, 1.0, 150.0))
    written = report.write(results)
    assert "| ours, JSON | 5,000,000 | 1.00 | 5,000,000 | 10.00 | 1.000 | 0.20 | 150 |" in written
    met = {target.description: target.met for target in judge(results)}
    assert not met["W1, ours, JSON: at least 15 x naive"]
    assert met["W1, ours, JSON: at least 0.11 of curl"]
    assert met["W2: at most 1.25 x the floor"]
    assert times_floor(results.series[LATENCY][OURS_JSON]) == pytest.approx(1 / 1.25)
    results.series[LARGE][LIMIT].costs[:] = [Cost(0.01, 0.01, None)]
    results.series[LARGE][OURS_JSON].costs.append(Cost(1.0, 1.0, 191.0))
    met = {target.description: target.met for target in judge(results)}
    assert not met["W1, ours, JSON: at least 0.11 of curl"]
    assert not met["ours, JSON: at most 190 MB for 5,000,000 rows"]
    assert not met["ours, JSON: at most 20 MB more than for few"]
    assert met["ours, Arrow: at most 190 MB for 5,000,000 rows"]
    assert met["the operator adds at most 10% to: ours, JSON"]


def test_every_workload_has_its_own_clients():
    seen = [(case.workload, case.client) for case in cases(ROWS)]
    assert all(one != other for one, other in pairwise(sorted(seen)))
