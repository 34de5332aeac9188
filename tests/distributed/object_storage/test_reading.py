"""Inputs on S3: globs, folders, manifests, and how many requests they take."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.storage import s3
from airflow_movielens.storage.copy_limit import CopyLimit, CopyLimitError
from airflow_movielens.storage.files import local_copy

pytestmark = pytest.mark.usefixtures("movielens")


def fetch(url, start, end):
    operator = MovielensFetchRatingsOperator(task_id="fetch", output_path=url, start_date=start, end_date=end)
    return operator.execute({})


def rank(input_path, output_path, **arguments):
    operator = MovielensRankMoviesOperator(task_id="rank", input_path=input_path, output_path=output_path, **arguments)
    return operator.execute({})


def fetch_days(bucket, first, count):
    days = [str(date.fromisoformat(first) + timedelta(days=number)) for number in range(count + 1)]
    fetched = [fetch(bucket.url(f"days/{first}.csv"), first, beyond) for first, beyond in pairwise(days)]
    bucket.proxy.reset()
    return fetched


@pytest.fixture
def days(bucket):
    """Fetch three days."""
    return fetch_days(bucket, "2000-11-19", 3)


def test_a_ranking_of_a_month_lists_once_and_gets_each_file_once(bucket):
    month = fetch_days(bucket, "2000-11-01", 30)
    made = rank(bucket.url("days/2000-11-*.csv"), bucket.url("rankings/month.csv"))
    assert Counter(bucket.proxy.names("^days")) == {"list": 1, "get": 30}
    assert bucket.proxy.names("^rankings") == ["list", "head", "list", "put", "put", "put"]
    assert made["files"] == 30
    # The windows are those of the manifests, also of days without ratings.
    inputs = bucket.json("rankings/.month.csv.manifest.json")["inputs"]
    facts = ("path", "sha256", "bytes", "rows", "start_date", "end_date")
    assert inputs == [{fact: day[fact] for fact in facts} for day in month]


def test_a_ranking_of_manifests_gets_each_file_once(bucket, days):
    rank(days, bucket.url("rankings/days.csv"))
    assert bucket.proxy.names("^days") == ["get"] * 3


def test_a_ranking_of_paths_gets_each_file_once(bucket, days):
    rank([day["path"] for day in days], bucket.url("rankings/days.csv"))
    assert Counter(bucket.proxy.names("^days")) == {"head": 3, "get": 3}


def test_files_of_others_are_described_by_their_manifests_or_their_rows(bucket, days):
    for day in days[:2]:  # copied by a program that loses the metadata
        key = day["path"].rpartition(f"{bucket.name}/")[2]
        bucket.write(key, bucket.read(key))
    bucket.client.delete_object(Bucket=bucket.name, Key="days/.2000-11-20.csv.manifest.json")
    rank(days, bucket.url("rankings/days.csv"))
    assert Counter(bucket.proxy.names("^days")) == {"get": 5}
    inputs = bucket.json("rankings/.days.csv.manifest.json")["inputs"]
    assert [file["rows"] for file in inputs] == [day["rows"] for day in days]
    assert inputs[0]["start_date"] == "2000-11-19"


def test_a_file_whose_response_is_cut_off_is_read_again(bucket, days):
    cut = []

    def cut_once(request):
        if request.key == "days/2000-11-20.csv" and not cut:
            cut.append(request)
            return True
        return False

    bucket.proxy.is_cut = cut_once
    made = rank(days[1], bucket.url("rankings/day.csv"))
    assert bucket.proxy.names("^days") == ["get", "get"]
    assert made["ratings"] == days[1]["rows"]


def test_a_large_file_is_copied_in_ranges(bucket, days, monkeypatch):
    monkeypatch.setattr(s3, "AT_ONCE_BYTES", 1_000)
    made = rank(days[1], bucket.url("rankings/day.csv"))
    assert made["ratings"] == days[1]["rows"]


def test_a_copy_ends_at_its_limit(bucket, tmp_path):
    bucket.write("r.csv", b"x" * 1_000)
    assert local_copy(bucket.url("r.csv"), tmp_path / "1", CopyLimit(1_000)).read_bytes() == b"x" * 1_000
    with pytest.raises(CopyLimitError):
        local_copy(bucket.url("r.csv"), tmp_path / "2", CopyLimit(999))


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv", "a#b.csv", "a b%20.csv", "ü&=+.csv"])
def test_any_name_is_written_and_read(bucket, name):
    url = bucket.url(f"d[1]*/{name}")
    for _ in range(2):
        fetched = fetch(url, "2000-11-20", "2000-11-21")
    bucket.write(f"d[1]*/{name}.csv", b"not a file of ratings")
    made = rank(url, bucket.url("ranking.csv"))
    assert made["ratings"] == fetched["rows"]
    assert bucket.names()[0] == ".ranking.csv.manifest.json"
    assert sorted(bucket.names()[1:-1]) == sorted(
        f"d[1]*/{found}" for found in (f".{name}.manifest.json", name, f"{name}.csv")
    )
