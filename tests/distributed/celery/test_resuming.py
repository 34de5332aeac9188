"""A worker is lost in the middle of a large fetch, and the other worker resumes."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from urllib.parse import parse_qs

import pytest
from distributed.celery.conftest import CONCURRENCY

DAG_ID, TASK_ID = "large_fetch", "fetch_ratings"
PAGES = 41
SEED = 19
# Not so early that nothing is saved.
POINTS = random.Random(SEED).sample(range(PAGES // 2, PAGES - CONCURRENCY), 5)


@pytest.fixture(scope="session")
def undisturbed(celery_stack, tmp_path_factory):
    """Return the SHA-256 of the file of a fetch that nothing disturbs."""
    from airflow_movielens.client import MovielensClient, Window
    from airflow_movielens.client.fetch import LocalOutput, fetch_ratings

    user, password = celery_stack.api_login
    output = LocalOutput(tmp_path_factory.mktemp("undisturbed") / "ratings.parquet")
    with MovielensClient(celery_stack.api_address, user=user, password=password) as client:
        return fetch_ratings(client, Window.of("1995-01-09", "2016-10-17"), output).sha256


@pytest.mark.parametrize(
    ("place", "point"),
    [
        pytest.param("bucket", POINTS[0]),
        *(
            pytest.param("disk", point, marks=[pytest.mark.long] if number else [])
            for number, point in enumerate(POINTS)
        ),
    ],
)
def test_the_other_worker_resumes_the_fetch_of_a_killed_worker(celery_stack, undisturbed, place, point):
    root = celery_stack.bucket if place == "bucket" else str(celery_stack.data)
    output = f"{root}/killed/{point}.parquet"
    before = len(celery_stack.cluster.requests())
    run_id = celery_stack.start(DAG_ID, {"output_path": output})
    celery_stack.until(f"{point} pages", lambda: len(celery_stack.cluster.requests()) - before >= point)
    (task,) = celery_stack.airflow.tasks(DAG_ID, run_id)
    lost = celery_stack.cluster.worker_of(task["pid"])
    celery_stack.cluster.kill_worker(lost)

    try:
        assert celery_stack.ended(DAG_ID, run_id) == "success"
    finally:
        celery_stack.cluster.start_missing_workers()
    (task,) = celery_stack.airflow.tasks(DAG_ID, run_id)
    assert task["try_number"] == 2
    log = celery_stack.task_log(DAG_ID, run_id, TASK_ID)
    assert re.search(r"Resuming the ratings of .+: [\d,]+ rows of 100,004 are already saved", log)
    assert digest(output) == undisturbed
    assert not leftovers(output)
    offsets = Counter(map(offset_of, celery_stack.cluster.requests()[before:]))
    assert len(offsets) >= PAGES
    print(f"{offsets.total() - len(offsets)} of {PAGES} pages were requested again")
    # Only those in flight.
    assert offsets.total() - len(offsets) <= CONCURRENCY


def offset_of(request):
    return tuple(parse_qs(request["query"]).get("offset", []))


def digest(path):
    from airflow.sdk import ObjectStoragePath

    return hashlib.sha256(ObjectStoragePath(path).read_bytes()).hexdigest()


def leftovers(path):
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(path).parent
    return [file for file in folder.fs.find(folder.path) if "/.partial-" in file]
