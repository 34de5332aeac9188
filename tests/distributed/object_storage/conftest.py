"""A server of S3 for all tests, and a bucket for each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import pytest
from distributed.object_storage.s3_proxy import S3Proxy, proxy_before

from demo.ports import choose_port
from demo.services.s3 import KEY, S3
from demo.services.service import running

_NUMBERS = count(1)
SECRET = "the/secret+of=tests"


@dataclass(frozen=True)
class Bucket:
    """A bucket behind a proxy, and the connections to it: `movielens_s3`, and others with a mistake.

    Attributes:
        name: Its name.
        proxy: The proxy.
        client: The client of boto3, which goes past the proxy.
    """

    name: str
    proxy: S3Proxy
    client: Any

    def url(self, key: str, conn_id: str = "movielens_s3") -> str:
        return f"s3://{conn_id}@{self.name}/{key}"

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def json(self, key: str) -> Any:
        return json.loads(self.read(key))

    def uploads(self) -> list[Any]:
        found: list[Any] = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return found


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """Run SeaweedFS and a proxy before it."""
    with ExitStack() as claims:
        port = choose_port(None, claims)
    server = S3(tmp_path_factory.mktemp("s3"), port, SECRET)
    with running(server), proxy_before(port) as proxy:
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        yield proxy, client


@pytest.fixture
def bucket(s3, monkeypatch):
    """Return a new bucket."""
    proxy, client = s3
    proxy.reset()
    name = f"bucket-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    connections = {"movielens_s3": (KEY, SECRET), "wrong_key": ("nobody", SECRET), "wrong_secret": (KEY, "guess/ed+")}
    for conn_id, (login, password) in connections.items():
        extra = {"endpoint_url": proxy.endpoint, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    bucket = Bucket(name, proxy, client)
    yield bucket
    # Each bucket has volumes of its own, of which the server has not many.
    proxy.reset()
    for upload in bucket.uploads():
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in bucket.names():
        client.delete_object(Bucket=name, Key=key)
    client.delete_bucket(Bucket=name)


@pytest.fixture
def movielens(api, monkeypatch):
    """Define the connection `movielens_default` to the running API."""
    connection = {"conn_type": "movielens", "host": "127.0.0.1", "port": api.port}
    connection |= {"login": api.user, "password": api.password}
    monkeypatch.setenv("AIRFLOW_CONN_MOVIELENS_DEFAULT", json.dumps(connection))
