"""The snippets of docs/object-storage.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from airflow.sdk import Connection
from distributed.object_storage.conftest import SECRET
from distributed.object_storage.fetch_process import fetch
from unit.scripted_server import page_of, ratings, serve

from airflow_movielens.client import FatalError
from airflow_movielens.storage import s3
from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.object_output import ObjectOutput
from demo.services.s3 import KEY

PAGE = Path(__file__).resolve().parents[3] / "docs/object-storage.md"
AMAZON, OTHER, POLICY = re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
ACTIONS = {
    "abort-upload": "s3:AbortMultipartUpload",
    "delete": "s3:DeleteObject",
    "delete-many": "s3:DeleteObject",
    "get": "s3:GetObject",
    "head": "s3:GetObject",
    "list": "s3:ListBucket",
    "list-uploads": "s3:ListBucketMultipartUploads",
}
ROWS = ratings(330)


@pytest.fixture(scope="module")
def server():
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        yield server.base_url


def test_the_connection_of_another_store_works(bucket, server, monkeypatch):
    text = OTHER.replace("<access key>", KEY).replace("<secret>", SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_MY_S3", text.replace("https://s3.example.com", bucket.proxy.endpoint))
    fetch(server, ObjectOutput(bucket.url("r.csv", "my_s3")))
    assert bucket.json(".r.csv.manifest.json")["rows"] == len(ROWS)


def test_the_connection_of_amazon_differs_only_in_its_endpoint(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MY_S3", AMAZON)
    amazon = Connection.get("my_s3")
    monkeypatch.setenv("AIRFLOW_CONN_MY_S3", OTHER)
    other = Connection.get("my_s3")
    assert (amazon.conn_type, amazon.login, amazon.password) == (other.conn_type, other.login, other.password)
    assert amazon.extra_dejson.keys() == other.extra_dejson.keys() - {"endpoint_url"}


def test_the_policy_has_the_permissions_that_are_used_and_no_others(bucket, server, monkeypatch, tmp_path):
    used = set()

    def note(request):
        used.add(ACTIONS.get(request.name, "s3:PutObject"))

    bucket.proxy.answer = note
    fetch(server, ObjectOutput(bucket.url("r.csv")))
    with local_copies([bucket.url("r.csv")]):
        pass
    # An upload that fails, and the next attempt.
    monkeypatch.setattr(s3, "SINGLE_PUT_BYTES", 100)
    bucket.proxy.after = lambda request: (403, "AccessDenied") if request.name == "upload-part" else None
    with pytest.raises(FatalError):
        fetch(server, ObjectOutput(bucket.url("r.csv")))
    bucket.proxy.after = lambda _: None
    fetch(server, ObjectOutput(bucket.url("r.csv")))
    for_bucket, for_objects = json.loads(POLICY)["Statement"]
    assert used == {*for_bucket["Action"], *for_objects["Action"]}
    assert all("List" in action for action in for_bucket["Action"])
