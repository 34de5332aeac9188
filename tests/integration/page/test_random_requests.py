"""Random addresses of the page, and damaged files behind it: no unexpected error, and nothing from outside its root."""

from __future__ import annotations

import os
from urllib.parse import quote, urlencode

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.page.recommending_data import DAG, MOVIES, RUN, RecommendingData
from unit.damaged_json import damaged

from airflow_movielens.storage.catalogue import Catalogue, Record, TaskRun

# Each takes as long as many of other tests: most views start a process.
EXAMPLES = max(int(os.environ.get("FUZZ_EXAMPLES", "0")) // 10, 12)
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SECRET = "secret-of-another-folder"
ROUTES = [
    "", "partitions/", "partitions/{}/", "partitions/{}", "rankings/", "rankings/movies/{}/", "models/", "recommendations/",
    "movies/{}/similar/", "dags/{}/runs/{}/", "dags/{}/runs/{}/tasks/{}/{}/", "static/{}", "{}",
]  # fmt: skip
PARAMETERS = ["dataset", "year", "show", "ranking", "method", "day", "genre", "search", "rows", "registry", "before", "user",
              "like", "similar", "v", "x"]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return RecommendingData.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def root(made, data_root, catalogue):
    """Fill the data root, with a secret beside it and links to the secret in it."""
    made.copied(data_root).record(catalogue)
    catalogue.save_movies(MOVIES)
    beside = data_root.parent / "beside"
    beside.mkdir()
    (beside / "secret.csv").write_text(f"rank,movieId,title,score,num_ratings\n1,7,{SECRET},1,1\n")
    (beside / "secret.csv.quarantine.ndjson").write_text(f'{{"row": "{SECRET}"}}\n')
    (data_root / "link").symlink_to(beside)
    ranking = data_root / "rankings" / "r.csv"
    ranking.parent.mkdir()
    pl.DataFrame({"rank": [1], "movieId": [7], "score": [1.0], "num_ratings": [1]}).write_csv(ranking)
    task = TaskRun(DAG, RUN, "task", -1, 1)
    day = {
        "start_date": "2015-03-07",
        "end_date": "2015-03-08",
        "rows": 5,
        "quarantined": 1,
        "histogram": [0, 5, *[0] * 8],
    }
    ranked = {
        "start_date": "2015-03-01",
        "end_date": "2015-03-08",
        "method": "mean",
        "rows": 1,
        "ratings": 5,
        "days": 7,
    }
    for kind, path, facts in [
        ("fetch", data_root / "ratings/2015-03-07.csv", day),
        ("fetch", beside / "secret.csv", day),
        ("ranking", ranking, ranked),
        ("ranking", data_root / "link/secret.csv", ranked),
    ]:
        catalogue.add(
            Record(kind, "2015-03-08T01:00:00Z", str(path), succeeded=True, error=None, task=task, facts=facts)
        )
    return data_root


def words(root):
    known = ["2015-03-07", "7", "39", "-1", "mean", "ratings", "r", "rankings/r", DAG, RUN, "task", "train", "all", "missing",
             "2015", "Hamlet", "(1948)", "Drama", f"{root}/registry", f"{root.parent}/beside", "../beside/secret.csv", "link",
             f"{root}/link/secret.csv", f"file://{root.parent}/beside/secret.csv", "..", "%2e%2e", "/etc/passwd", "0", "9" * 400,
             "9999-12-31", "0001-01-01", "page.css", "\0", "'\"<script>", "*"]  # fmt: skip
    return st.sampled_from(known) | st.text(max_size=8)


def ask(page, address):
    response = page.get(f"/movielens/{address}", follow_redirects=False)
    assert response.status_code in {200, 307, 403, 404, 422, 500, 503}, (address, response.text)
    assert SECRET not in response.text, address
    assert "unexpected error" not in response.text, address
    return response


@fuzzed
@given(data=st.data())
def test_random_addresses(log_in, root, data):
    # An unexpected error would be raised here.
    page = log_in("admin", "ADMIN")
    route, any_word = data.draw(st.sampled_from(ROUTES)), words(root)
    path = route.format(*(quote(data.draw(any_word), safe="", errors="replace") for _ in range(4)))
    query = data.draw(st.lists(st.tuples(st.sampled_from(PARAMETERS), any_word), max_size=4))
    ask(page, f"{path}?{urlencode(query, errors='replace')}")


VIEWS = ["partitions/", "partitions/2015-03-07/", "rankings/", "rankings/movies/7/", "models/", "recommendations/?user=7",
         "recommendations/?like=39", "movies/39/similar/", f"dags/{DAG}/runs/{RUN}/"]  # fmt: skip


@fuzzed
@given(data=st.data())
def test_damaged_files(log_in, root, data):
    page = log_in("admin", "ADMIN")
    files = sorted(file for file in root.rglob("*.json") if file.is_file() and "link" not in file.parts)
    assert len(files) > 10
    file = data.draw(st.sampled_from(files))
    whole = file.read_bytes()
    file.write_bytes(data.draw(damaged(whole)))
    try:
        # Rankings take a process each.
        for view in data.draw(st.lists(st.sampled_from(VIEWS), min_size=1, max_size=2, unique=True)):
            ask(page, view)
    finally:
        file.write_bytes(whole)
    assert Catalogue(str(root)).records("fetch").problems == []
