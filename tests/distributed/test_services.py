"""The servers that the stack and the tests start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import boto3
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError

from demo.configuration import Credentials
from demo.errors import DemoError
from demo.layout import ROOT, Layout
from demo.ports import choose_port
from demo.services.postgres import Postgres
from demo.services.s3 import KEY, S3
from demo.services.selection import Services
from demo.services.service import running
from demo.services.valkey import Valkey

PROGRAM = """
import sys
from pathlib import Path
from contextlib import ExitStack
from demo.ports import choose_port
from demo.services.postgres import Postgres
from demo.services.s3 import S3
from demo.services.service import running
from demo.services.valkey import Valkey

folder = Path(sys.argv[1])
with ExitStack() as stack:
    for number, kind in enumerate((Postgres, Valkey, S3)):
        stack.enter_context(running(kind(folder / str(number), choose_port(None, stack), "secret")))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def port():
    with ExitStack() as claims:
        yield choose_port(None, claims)


def processes_in(folder):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder) and (process / "cmdline").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def test_postgres_keeps_its_data_and_its_password(tmp_path, port):
    service = Postgres(tmp_path / "postgres", port, "a-secret")
    with running(service):
        with psycopg.connect(service.url("movielens")) as connection:
            assert connection.execute("show server_version_num").fetchone()[0] >= "180000"
            connection.execute("create table kept as select 1 as one")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(service.url("movielens").replace("a-secret", "another"))
    assert not processes_in(tmp_path)
    with running(service), psycopg.connect(service.url("movielens")) as connection:
        assert connection.execute("select one from kept").fetchone() == (1,)


def test_valkey_refuses_a_wrong_password(tmp_path, port):
    service = Valkey(tmp_path / "valkey", port, "secret")
    with running(service):
        assert redis.from_url(service.url).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.from_url(service.url.replace("secret", "another")).ping()
        assert "secret" not in " ".join(processes_in(tmp_path))
    assert not processes_in(tmp_path)


def test_s3_has_credentials_and_conditional_writes(tmp_path, port):
    service = S3(tmp_path / "s3", port, "secret")

    def client(secret):
        login = {"aws_access_key_id": KEY, "aws_secret_access_key": secret, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=service.endpoint, **login)

    with running(service):
        service.create_bucket("bucket")
        service.create_bucket("bucket")
        objects = client("secret")
        objects.put_object(Bucket="bucket", Key="one", Body=b"first", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            objects.put_object(Bucket="bucket", Key="one", Body=b"second", IfNoneMatch="*")
        assert objects.get_object(Bucket="bucket", Key="one")["Body"].read() == b"first"
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            client("another").list_objects_v2(Bucket="bucket")
        with pytest.raises(ClientError, match="NoSuchBucket"):
            objects.put_object(Bucket="missing", Key="one", Body=b"")
        ports = service.part_ports.values()
    assert not processes_in(tmp_path)
    assert not [port for port in ports for _ in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]


def test_nothing_is_left_running_after_a_hard_kill(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout.readline() == b"ready\n"
    assert len({command.split("\0")[0].rpartition("/")[2] for command in processes_in(tmp_path)}) >= 3
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    while processes_in(tmp_path):
        time.sleep(0.1)


def test_an_unknown_service_is_named(tmp_path):
    with ExitStack() as claims, pytest.raises(DemoError, match="no service mysql: choose among celery, postgres, s3"):
        Services.of(["s3", "mysql"], Layout(tmp_path), Credentials(), claims)
