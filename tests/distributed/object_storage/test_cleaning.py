"""Nothing is left behind in a bucket, also by a store that lacks what others have."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from hashlib import sha256

import pytest
from distributed.object_storage.fetch_process import fetch
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import FatalError, MovielensClient, RetryableError, Window
from airflow_movielens.client.fetch import fetch_ratings
from airflow_movielens.plugin.partitions.quarantine import read_sample
from airflow_movielens.storage import s3
from airflow_movielens.storage.object_output import ObjectOutput

ROWS = ratings(330)
DATA, MANIFEST, QUARANTINE = "days/r.csv", "days/.r.csv.manifest.json", "days/r.csv.quarantine.ndjson"
PART = 5 * 2**20  # the least that S3 allows
LARGE = random.Random(1).randbytes(2 * PART + 1)


@dataclass(frozen=True)
class FileManifest:
    """A manifest of what lies in a file."""

    content: bytes

    def to_json(self):
        return json.dumps({"sha256": sha256(self.content).hexdigest(), "path": DATA})


@pytest.fixture(scope="module")
def server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server.base_url


@pytest.fixture
def publish(bucket, monkeypatch, tmp_path):
    """Return a function that publishes a file, a large one by default."""
    monkeypatch.setattr(s3, "PART_BYTES", PART)
    monkeypatch.setattr(s3, "SINGLE_PUT_BYTES", PART)

    def publish(content=LARGE):
        (tmp_path / "r.csv").write_bytes(content)
        ObjectOutput(bucket.url(DATA)).publish(tmp_path / "r.csv", None, FileManifest(content))

    return publish


def check_that_only_the_file_is_left(bucket, content):
    assert bucket.read(DATA) == content
    assert bucket.json(MANIFEST)["sha256"] == sha256(content).hexdigest()
    assert bucket.names() == [MANIFEST, DATA]
    assert bucket.uploads() == []


def test_a_large_file_is_uploaded_in_parts(bucket, publish):
    publish()
    assert sorted(bucket.proxy.names(f"^{DATA}$")) == [
        "complete-upload",
        "create-upload",
        "list",
        *["upload-part"] * 3,
    ]
    check_that_only_the_file_is_left(bucket, LARGE)


@pytest.mark.parametrize("failing", ["upload-part", "complete-upload"])
def test_an_upload_that_fails_is_aborted(bucket, publish, failing):
    publish(b"before")
    bucket.proxy.answer = lambda request: (403, "AccessDenied") if request.name == failing else None
    with pytest.raises(FatalError, match=r"r\.csv cannot be written: AccessDenied"):
        publish()
    assert bucket.uploads() == []
    assert bucket.read(DATA) == b"before"
    bucket.proxy.reset()
    publish()
    check_that_only_the_file_is_left(bucket, LARGE)


def test_the_upload_of_a_killed_attempt_is_aborted_by_the_next_one(bucket, publish):
    # A killed process makes no request any more.
    is_dead = []
    bucket.proxy.after = lambda request: is_dead.append(1) if request.name == "upload-part" else None
    bucket.proxy.answer = lambda _: (403, "AccessDenied") if is_dead else None
    with pytest.raises(FatalError):
        publish()
    assert len(bucket.uploads()) == 1
    bucket.proxy.reset()
    publish(b"small")
    check_that_only_the_file_is_left(bucket, b"small")


def test_an_upload_that_another_attempt_overtakes_fails(bucket, publish):
    overtaken = []

    def overtake(request):
        if request.name == "upload-part" and not overtaken:
            overtaken.append(request)
            publish(b"small")

    bucket.proxy.answer = overtake
    with pytest.raises(RetryableError, match="another attempt"):
        publish()
    check_that_only_the_file_is_left(bucket, b"small")


@pytest.mark.parametrize("status", [400, 501])
def test_a_store_that_cannot_delete_several_objects_at_once_ends_clean(bucket, server, status):
    bucket.proxy.answer = lambda request: (status, "NotImplemented") if request.name == "delete-many" else None
    fetch(server, ObjectOutput(bucket.url(DATA)))
    assert bucket.names() == [MANIFEST, DATA]
    assert bucket.proxy.names().count("delete-many") == 1
    assert bucket.proxy.names().count("delete") >= 4


def test_objects_that_are_not_deleted_with_the_others_are_deleted_one_by_one(bucket, server):
    def answer(request):
        if request.name != "delete-many":
            return None
        keys = [key for key in bucket.names() if ".partial-" in key]
        errors = "".join(f"<Error><Key>{key}</Key><Code>InternalError</Code></Error>" for key in keys)
        return 200, f"<DeleteResult>{errors}</DeleteResult>"

    bucket.proxy.answer = answer
    fetch(server, ObjectOutput(bucket.url(DATA)))
    assert bucket.names() == [MANIFEST, DATA]


def test_a_fetch_with_parts_deletes_them_with_one_request(bucket, server):
    fetch(server, ObjectOutput(bucket.url(DATA)))
    names = bucket.proxy.names()
    parts = len(bucket.proxy.names(r"/[0-9a-f]{8}-\d+\.arrow$"))
    # A put for each part and for each checkpoint, one that clears the checkpoint, and the end.
    assert parts >= 3
    assert len(names) == 6 + 2 * parts + 1 + 2
    assert names[-2:] == ["list", "delete-many"]
    assert bucket.names() == [MANIFEST, DATA]


def test_only_parts_of_this_output_are_removed(bucket, server):
    key = "0123456789abcdef"
    others = [
        f"days/.partial-r.csv-{key}/notes.txt",
        f"days/.partial-r.csv-of-another.csv-{key}/0123abcd-0.arrow",
        f"days/.partial-rXcsv-{key}/0123abcd-0.arrow",
        f"days/r.csv-{key}/0123abcd-0.arrow",
    ]
    for other in [*others, f"days/.partial-r.csv-{key}/0123abcd-0.arrow"]:
        bucket.write(other, b"1")
    fetch(server, ObjectOutput(bucket.url(DATA)))
    assert bucket.names() == sorted([*others, MANIFEST, DATA])


def test_a_store_without_conditional_writes_is_used_without_them(bucket, server, caplog):
    conditions = {"if-match", "if-none-match"}

    def answer(request):
        return (501, "NotImplemented") if conditions & set(map(str.lower, request.headers)) else None

    bucket.proxy.answer = answer
    with caplog.at_level("INFO"):
        for _ in range(2):
            fetch(server, ObjectOutput(bucket.url(DATA)))
    assert "has no conditional writes" in caplog.text
    assert bucket.names() == [MANIFEST, DATA]
    assert bucket.json(MANIFEST)["sha256"] == sha256(bucket.read(DATA)).hexdigest()


def test_a_bucket_that_may_not_be_listed_is_used_without(bucket, server):
    bucket.proxy.answer = lambda request: (403, "AccessDenied") if request.name == "list" else None
    for _ in range(2):
        fetch(server, ObjectOutput(bucket.url(DATA)))
    assert bucket.json(MANIFEST)["sha256"] == sha256(bucket.read(DATA)).hexdigest()


@pytest.mark.parametrize("key", [MANIFEST, DATA])
def test_a_write_whose_answer_is_lost_is_recognised(bucket, server, key):
    lost = []

    def lose(request):
        if str(request) == f"put {key}" and not lost:
            lost.append(request)
            return 500, "InternalError"
        return None

    bucket.proxy.after = lose
    fetch(server, ObjectOutput(bucket.url(DATA)))
    assert len(lost) == 1
    assert bucket.json(MANIFEST)["sha256"] == sha256(bucket.read(DATA)).hexdigest()


def test_quarantined_rows_lie_beside_the_file_until_they_are_gone(bucket):
    bad = [*ROWS[:20], ROWS[20] | {"rating": 9.9}, *ROWS[21:30]]
    output = ObjectOutput(bucket.url(DATA))
    for rows, quarantined in ((bad, 1), (bad, 1), (ROWS[:30], 0)):
        with serve(lambda _, query, __, rows=rows: page_of(rows, query)) as server:
            with MovielensClient(server.base_url) as client:
                window = Window.of("1970-01-02", "1970-01-03")
                manifest = fetch_ratings(client, window, output, on_bad_rows="quarantine")
        assert manifest.quarantined == quarantined
        assert manifest.quarantine_path == (bucket.url(QUARANTINE) if quarantined else None)
        assert bucket.names() == sorted([MANIFEST, DATA, *[QUARANTINE] * quarantined])
        # The page shows them.
        shown = read_sample(bucket.url(DATA), bucket.url("days"))
        assert [row.column for row in shown.rows] == ["rating"] * quarantined
    assert bucket.json(MANIFEST)["rows"] == 30
