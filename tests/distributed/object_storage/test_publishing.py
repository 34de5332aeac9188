"""A file on S3 and its manifest are of the same attempt, whatever other attempts do."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from random import Random
from threading import Barrier, Event, Thread
from time import sleep

import pytest
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import MovielensClient, RetryableError, Window
from airflow_movielens.client.fetch import fetch_ratings
from airflow_movielens.storage.object_output import ObjectOutput

WINDOW = Window.of("1970-01-02", "1970-01-03")
DATA, MANIFEST, QUARANTINE = "days/r.csv", "days/.r.csv.manifest.json", "days/r.csv.quarantine.ndjson"


@pytest.fixture(scope="module")
def servers():
    """Run servers with 30, 40 and 50 ratings."""
    rows = ratings(50)
    with ExitStack() as stack:
        yield [stack.enter_context(serve(partial(answer, rows[:count]))).base_url for count in (30, 40, 50)]


def answer(rows, _path, query, _number):
    return page_of(rows, query)


def fetch(server, bucket):
    with MovielensClient(server) as client:
        return fetch_ratings(client, WINDOW, ObjectOutput(bucket.url(DATA)))


class Attempt(Thread):
    """A fetch in a thread."""

    def __init__(self, server, bucket):
        super().__init__()
        self.run_fetch = lambda: fetch(server, bucket)
        self.manifest = self.error = None
        self.start()

    def run(self):
        try:
            self.manifest = self.run_fetch()
        except Exception as error:  # noqa: BLE001 - for the test to see
            self.error = error


def attempts_at_once(servers, bucket):
    attempts = [Attempt(server, bucket) for server in servers]
    for attempt in attempts:
        attempt.join()
    return attempts


def check_that_files_fit(bucket, rows=None):
    manifest, data = bucket.json(MANIFEST), bucket.read(DATA)
    assert manifest["sha256"] == sha256(data).hexdigest()
    assert rows in (None, manifest["rows"])
    assert bucket.names() == [MANIFEST, DATA]


def test_a_fetch_makes_six_requests(bucket, servers):
    expected = [
        "list days/.partial-r.csv-",
        f"head {MANIFEST}",
        f"list {DATA}",
        f"put {MANIFEST}",
        f"put {DATA}",
        f"put {MANIFEST}",
    ]
    fetch(servers[0], bucket)
    assert [str(request) for request in bucket.proxy.requests] == expected
    bucket.proxy.reset()
    fetch(servers[1], bucket)  # the same for a file that is replaced
    assert [str(request) for request in bucket.proxy.requests] == expected
    check_that_files_fit(bucket, 40)


@pytest.mark.parametrize("is_replaced", [False, True])
def let_both_see_the_same(bucket):
    """Let two attempts look for the files before one of them writes."""
    both, first_looks = Barrier(2, timeout=30), iter(range(2))

    def wait(request):
        if str(request) == f"list {DATA}" and next(first_looks, None) is not None:
            both.wait()

    bucket.proxy.after = wait


@pytest.mark.parametrize("is_replaced", [False, True])
def test_of_two_attempts_at_once_one_wins(bucket, servers, is_replaced):
    if is_replaced:
        fetch(servers[0], bucket)
    let_both_see_the_same(bucket)
    winner, loser = sorted(attempts_at_once(servers[:2], bucket), key=lambda attempt: attempt.manifest is None)
    assert winner.manifest is not None
    assert isinstance(loser.error, RetryableError)
    assert f"{bucket.url(DATA)} is not replaced, because another attempt" in str(loser.error)
    check_that_files_fit(bucket, winner.manifest.rows)


@pytest.mark.parametrize("before", [None, 0, 1])
@pytest.mark.parametrize("number", range(1, 6))
def test_an_attempt_that_another_one_overtakes_changes_nothing(bucket, servers, number, before):
    if before is not None:
        fetch(servers[before], bucket)
    bucket.proxy.reset()
    is_stopped, goes_on = Event(), Event()

    def stop(_):
        if len(bucket.proxy.requests) == number + 1:
            is_stopped.set()
            goes_on.wait(30)

    bucket.proxy.answer = stop
    slow = Attempt(servers[0], bucket)
    assert is_stopped.wait(30)
    fetch(servers[1], bucket)
    goes_on.set()
    slow.join()
    if number < 2:  # before it looks, it is simply the later one
        assert slow.error is None
    elif number > 2 and before != 1:  # or what the other one wrote is what lay there before
        assert isinstance(slow.error, RetryableError)
    check_that_files_fit(bucket, 40 if slow.error else 30)


def test_an_attempt_with_the_rows_of_the_winner_succeeds(bucket, servers):
    is_stopped, goes_on = Event(), Event()

    def stop(request):
        if str(request) == f"put {MANIFEST}" and not is_stopped.is_set():
            is_stopped.set()
            goes_on.wait(30)

    bucket.proxy.answer = stop
    slow = Attempt(servers[0], bucket)
    assert is_stopped.wait(30)
    fetch(servers[0], bucket)
    goes_on.set()
    slow.join()
    assert slow.error is None
    assert slow.manifest.rows == 30
    check_that_files_fit(bucket, 30)


@pytest.mark.parametrize("before", [None, 0, 2])
def test_the_attempt_with_the_last_claim_wins_if_an_older_one_has_written(bucket, servers, before):
    if before is not None:
        fetch(servers[before], bucket)
    puts = []
    slow_claimed, fast_claimed, slow_ended = Event(), Event(), Event()

    def stop(request):
        if str(request) != f"put {DATA}":
            return
        puts.append(request)
        if len(puts) == 1:
            slow_claimed.set()
            fast_claimed.wait(30)
        elif len(puts) == 2:
            fast_claimed.set()
            slow_ended.wait(30)

    bucket.proxy.answer = stop
    slow = Attempt(servers[0], bucket)
    assert slow_claimed.wait(30)
    fast = Attempt(servers[1], bucket)
    slow.join()
    slow_ended.set()
    fast.join()
    assert isinstance(slow.error, RetryableError)
    assert fast.error is None
    check_that_files_fit(bucket, 40)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_attempts_in_any_order_leave_a_file_with_its_manifest(bucket, servers, seed):
    random = Random(seed)
    bucket.proxy.answer = bucket.proxy.after = lambda _: sleep(random.expovariate(50))
    attempts = [Attempt(random.choice(servers), bucket) for _ in range(random.randint(2, 4))]
    for attempt in attempts:
        attempt.join()
    assert all(attempt.error is None or isinstance(attempt.error, RetryableError) for attempt in attempts)
    done = [attempt.manifest.rows for attempt in attempts if attempt.error is None]
    assert done
    check_that_files_fit(bucket)
    assert bucket.json(MANIFEST)["rows"] in done
