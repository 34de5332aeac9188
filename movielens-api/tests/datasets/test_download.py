"""Datasets downloaded from a server that may misbehave. All ratings here are invented."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import http.server
import os
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from api_testing import Launch
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from movielens_api import datasets
from movielens_api.cli import main
from movielens_api.datasets import releases
from movielens_api.datasets.options import GROUPLENS, Options, default_downloads
from movielens_api.errors import DamagedDatasetError, DownloadError, StartupError
from movielens_api.system.directories import cache_directory

NAME = "ml-latest-small"


@dataclass
class Mirror:
    """A server with one zip, which can misbehave."""

    content: bytes = b""
    md5: str = "MD5 ({name}.zip) = {md5}\n"
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    announced: int | str | None = None
    status: int = 200
    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.asked.append((self.path, self.headers["Range"]))
        content, start = mirror.content, 0
        if self.path.endswith(".md5"):
            content = mirror.md5.format(name=NAME, md5=hashlib.md5(content).hexdigest()).encode()
        elif self.headers["Range"] and mirror.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(content):
            return self.send_error(416)
        self.send_response(mirror.status if mirror.status != 200 else 206 if start else 200)
        size = len(content) - start if mirror.announced is None else mirror.announced
        self.send_header("Content-Length", str(size))
        self.end_headers()
        end = mirror.cut_after.pop(0) if mirror.cut_after and not self.path.endswith(".md5") else len(content)
        self.wfile.write(content[start : start + end])
        return None

    def log_message(self, *_: object) -> None:
        pass


def serve(mirror: Mirror, tls: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
    handler = type("ThisHandler", (Handler,), {"mirror": mirror})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    mirror.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}/movielens"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def zipped(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("ratings.csv", "movies.csv"):
            archive.write(folder / name, f"{NAME}/{name}")
        archive.writestr(f"{NAME}/README.txt", "x" * 200_000)
    return path


@pytest.fixture
def mirror(zipped: Path) -> Iterator[Mirror]:
    mirror = Mirror(zipped.read_bytes())
    server = serve(mirror)
    yield mirror
    server.shutdown()
    server.server_close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def options(tmp_path: Path, mirror: Mirror, said: list[str]) -> Options:
    return Options(tmp_path / "data", report=said.append, downloads=mirror.url)


def kept(options: Options) -> set[str]:
    return {path.name for path in (options.data_dir / "downloads").glob("*")}


@pytest.mark.parametrize("md5", ["MD5 ({name}.zip) = {md5}\n", "{md5}  {name}.zip\n", "{md5}"])
def test_downloaded_once_and_checked(options: Options, mirror: Mirror, said: list[str], md5: str) -> None:
    mirror.md5 = md5
    for _ in range(2):
        assert len(datasets.load(NAME, options).ratings) == 3
    assert [path for path, _ in mirror.asked] == [f"/movielens/{NAME}.zip.md5", f"/movielens/{NAME}.zip"]
    assert kept(options) == {f"{NAME}.zip", f"{NAME}.zip.verified"}
    assert said[0].startswith(f"downloading {mirror.url}/{NAME}.zip, 0.2 MB")
    assert "100% downloaded" in said
    assert said.count(releases.LICENCE) == 1


def test_a_download_is_resumed_after_a_cut_connection(options: Options, mirror: Mirror, said: list[str]) -> None:
    mirror.cut_after = [1000, 500]
    assert len(datasets.load(NAME, options).ratings) == 3
    assert [asked for path, asked in mirror.asked if path.endswith(".zip")] == [None, "bytes=1000-", "bytes=1500-"]
    assert any("resuming" in line for line in said)


def test_the_next_start_resumes_the_download(options: Options, mirror: Mirror) -> None:
    mirror.cut_after = [1000, 0]
    with pytest.raises(DownloadError, match=r"broke after 1,000 bytes, which are kept: try again"):
        datasets.load(NAME, options)
    assert kept(options) == {f"{NAME}.zip.part"}
    assert len(datasets.load(NAME, options).ratings) == 3
    assert mirror.asked[-1] == (f"/movielens/{NAME}.zip", "bytes=1000-")
    assert kept(options) == {f"{NAME}.zip", f"{NAME}.zip.verified"}


def test_a_server_without_ranges_starts_over(options: Options, mirror: Mirror) -> None:
    mirror.ranges = False
    part = options.data_dir / "downloads" / f"{NAME}.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something else")
    assert len(datasets.load(NAME, options).ratings) == 3


def test_killed_after_the_last_byte(options: Options, mirror: Mirror) -> None:
    part = options.data_dir / "downloads" / f"{NAME}.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(mirror.content)
    assert len(datasets.load(NAME, options).ratings) == 3


def test_a_wrong_checksum_leaves_nothing(options: Options, mirror: Mirror) -> None:
    part = options.data_dir / "downloads" / f"{NAME}.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"the beginning of another file")
    with pytest.raises(DamagedDatasetError, match=r"has the MD5 checksum \w+ and should have \w+"):
        datasets.load(NAME, options)
    assert kept(options) == set()
    assert len(datasets.load(NAME, options).ratings) == 3


def test_a_fixed_release_must_match_its_checksum(options: Options, mirror: Mirror) -> None:
    with pytest.raises(DamagedDatasetError, match="should have 6b51fb2759a8657d3bfcbfc42b592ada"):
        datasets.load("ml-25m", options)
    assert kept(options) == set()


def test_an_invalid_checksum(options: Options, mirror: Mirror) -> None:
    mirror.md5 = "<html>Not here</html>"
    with pytest.raises(DamagedDatasetError, match=r"\.zip\.md5 does not contain an MD5 checksum, but '<html>Not here"):
        datasets.load(NAME, options)


@pytest.mark.parametrize("status", [404, 503])
def test_the_server_refuses(options: Options, mirror: Mirror, status: int) -> None:
    mirror.status = status
    with pytest.raises(
        DownloadError, match=rf"cannot download {mirror.url}/{NAME}\.zip\.md5: the server returned {status}"
    ):
        datasets.load(NAME, options)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "http://no-such-host.invalid/x"])
def test_no_server(tmp_path: Path, address: str) -> None:
    with pytest.raises(DownloadError) as caught:
        datasets.load(NAME, Options(tmp_path / "data", downloads=address))
    message = str(caught.value)
    assert message.startswith(f"cannot reach {address}/{NAME}.zip.md5: ")
    assert message.endswith("if you download ml-latest-small.zip in another way, pass its path as --dataset")
    assert caught.value.exit_code == 75
    with pytest.raises(
        DownloadError, match=f"put it at {tmp_path}/data/downloads/ml-25m.zip, or pass its path as --dataset"
    ):
        datasets.load("ml-25m", Options(tmp_path / "data", downloads=address))


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc",
        "ftp://example.org",
        "example.org",
        "http://",
        "http://[x",
        "http://h:port",
        "http://h/a b",
        "http://h?x",
    ],
)
def test_an_invalid_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(StartupError, match="MOVIELENS_API_DOWNLOADS is not an http or https URL"):
        datasets.load(NAME, Options(tmp_path, downloads=address))


def test_an_address_with_a_password_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="contains a user or a password") as caught:
        datasets.load(NAME, Options(tmp_path, downloads="https://me:secret@example.org"))
    assert "secret" not in str(caught.value)


def test_an_invalid_length(options: Options, mirror: Mirror) -> None:
    mirror.announced = "many"
    assert len(datasets.load(NAME, options).ratings) == 3


def put_by_hand(options: Options, name: str, content: bytes) -> Path:
    path = options.data_dir / "downloads" / f"{name}.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "record", ["", "{}", "[]", "null", "x", '{"md5": 1}', '{"md5": "{md5}"}', '{"md5": "{md5}", "state": []}']
)
def test_a_zip_put_there_is_verified(options: Options, mirror: Mirror, record: str) -> None:
    path = put_by_hand(options, "ml-25m", mirror.content)
    found, expected = hashlib.md5(mirror.content).hexdigest(), releases.MD5["ml-25m"]
    path.with_name("ml-25m.zip.verified").write_text(record.replace("{md5}", str(expected)))
    with pytest.raises(DamagedDatasetError) as caught:
        datasets.load("ml-25m", options)
    assert str(caught.value).startswith(
        f"{path} has the MD5 checksum {found}, and GroupLens publishes {expected}: delete"
    )
    assert path.read_bytes() == mirror.content
    assert not mirror.asked


def test_a_verified_zip_is_not_read_again_until_it_is_touched(options: Options, mirror: Mirror) -> None:
    path = put_by_hand(options, NAME, mirror.content)
    releases.remember(path, "0" * 32)  # a wrong checksum, which reading the file would reveal
    for _ in range(3):
        assert len(datasets.load(NAME, options).ratings) == 3
    assert not mirror.asked
    # The same size, time and inode: only the time of the change of the inode differs.
    before = path.stat()
    path.write_bytes(mirror.content[:-1] + b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedDatasetError, match="has the MD5 checksum"):
        datasets.load(NAME, options)
    path.unlink()
    assert len(datasets.load(NAME, options).ratings) == 3
    assert f"/movielens/{NAME}.zip" in [asked for asked, _ in mirror.asked]


def test_a_changing_release_is_verified_by_its_record_or_the_published_checksum(
    options: Options, mirror: Mirror
) -> None:
    path = put_by_hand(options, NAME, mirror.content)
    offline = dataclasses.replace(options, downloads="http://127.0.0.1:1")
    with pytest.raises(DownloadError, match=rf"{path} cannot be verified: cannot reach .* pass its path as --dataset$"):
        datasets.load(NAME, offline)
    assert len(datasets.load(NAME, options).ratings) == 3
    # Restored from a backup, it has other times, but the checksum that it had when it was verified.
    os.utime(path)
    assert len(datasets.load(NAME, offline).ratings) == 3
    path.write_bytes(mirror.content + b"x")
    with pytest.raises(DamagedDatasetError, match="has the MD5 checksum"):
        datasets.load(NAME, options)


def test_a_disk_without_room(options: Options, mirror: Mirror) -> None:
    mirror.announced = 10**16
    with pytest.raises(StartupError, match=r"cannot write .*\(see --data-dir\): 10,000,000,000 MB are needed, .* free"):
        datasets.load("ml-25m", options)


def test_a_data_dir_that_cannot_be_written(options: Options) -> None:
    options.data_dir.write_text("in the way")
    with pytest.raises(StartupError, match=r"cannot write .*see --data-dir"):
        datasets.load(NAME, options)


def test_two_processes_do_not_write_to_one_file(options: Options, mirror: Mirror) -> None:
    import fcntl

    part = options.data_dir / "downloads" / f"{NAME}.zip.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another process is downloading"):
            datasets.load(NAME, options)


def certificate(folder: Path, until: datetime.datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(until - datetime.timedelta(days=9)).not_valid_after(until)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path = folder / "certificate.pem"
    path.write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.mark.parametrize(("days", "expired"), [(5, False), (-1, True)])
def test_a_certificate_counts(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, days: int, *, expired: bool
) -> None:
    path = certificate(tmp_path, datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = serve(mirror, context)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    load: Callable[[], object] = lambda: datasets.load(NAME, Options(tmp_path / "data", downloads=mirror.url))  # noqa: E731
    if expired:
        with pytest.raises(DownloadError, match=r"its certificate is not valid \(certificate has expired\)"):
            load()
    else:
        assert load()
    server.shutdown()
    server.server_close()


def test_the_command_downloads(
    launch: Launch, mirror: Mirror, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["serve", "--dataset", NAME, "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = launch(*arguments, MOVIELENS_API_DOWNLOADS=mirror.url)
    assert process.stdout
    assert process.stdout.readline().endswith(f"dataset {NAME}.\n")
    monkeypatch.setenv("MOVIELENS_API_DOWNLOADS", "http://127.0.0.1:1")
    # If it did not stop here, it would at the log, and never serve.
    assert main([*arguments[:2], "ml-32m", *arguments[3:], "--access-log", str(tmp_path)]) == 75
    errors = capfd.readouterr().err
    assert errors.startswith("movielens-api: cannot reach http://127.0.0.1:1/ml-32m.zip: Connection refused")
    assert errors.count("\n") == 1


def test_where_things_are_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_directory({}, "linux") == Path("/home/me/.cache/movielens-api")
    assert cache_directory({"XDG_CACHE_HOME": "/caches"}, "linux") == Path("/caches/movielens-api")
    assert cache_directory({"XDG_CACHE_HOME": "relative"}, "linux") == Path("/home/me/.cache/movielens-api")
    assert cache_directory({}, "darwin") == Path("/home/me/Library/Caches/movielens-api")
    assert default_downloads({}) == GROUPLENS
    assert default_downloads({"MOVIELENS_API_DOWNLOADS": "http://x"}) == "http://x"
