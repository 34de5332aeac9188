"""TLS with real certificates, and clients that verify them."""

from __future__ import annotations

import os
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import leaving_testing
import pytest
import requests
from api_testing import Launch, Process, url_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from movielens_api.cli import main

ME = ("me", "pssst")
PASSWORD = "größe pssst"
Refused = Callable[..., str]


@dataclass
class Files:
    certificate: Path
    key: Path
    locked_key: Path
    password: Path
    other_key: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    made = Files(*(folder / name for name in ("cert.pem", "key.pem", "locked.pem", "password", "other.pem")))
    made.certificate.write_bytes(certificate(key).public_bytes(Encoding.PEM))
    made.key.write_bytes(pem(key, NoEncryption()))
    made.locked_key.write_bytes(pem(key, BestAvailableEncryption(PASSWORD.encode())))
    made.password.write_text(PASSWORD + "\n", encoding="utf-8")
    made.other_key.write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), NoEncryption()))
    return made


def pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ratings")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    building = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    building = building.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return building.add_extension(names, critical=False).sign(key, hashes.SHA256())


def address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


def tls(certificate: Path, key: Path, password: Path | None = None) -> list[str]:
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    return [*options, "--tls-key-password-file", str(password)] if password else options


@dataclass
class Https:
    """A server with TLS."""

    process: Process
    url: str
    certificate: Path

    def assert_verified(self) -> None:
        """Assert that only a client that trusts the certificate connects and gets ratings."""
        verify = str(self.certificate)
        response = requests.get(self.url + "/ratings", auth=ME, verify=verify, timeout=30)
        assert response.json()["total"] == 3
        distrusting = ssl.create_default_context()
        with (
            socket.create_connection(address(self.url), timeout=30) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            distrusting.wrap_socket(plain, server_hostname="127.0.0.1")

    def stopped(self) -> str:
        """Stop the server, and return its output."""
        self.process.terminate()
        output, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        assert "Traceback" not in errors
        return output + errors


@pytest.fixture
def https(launch: Launch, folder: Path, files: Files) -> Callable[..., Https]:
    def serve(*options: str, dataset: str = str(folder), **environ: str) -> Https:
        environ |= {"API_USER": ME[0], "API_PASSWORD": ME[1]}
        process = launch("serve", "--dataset", dataset, "--port", "0", *options, **environ)
        url = url_of(process)
        assert url.startswith("https://")
        return Https(process, url.replace("0.0.0.0", "127.0.0.1"), files.certificate)

    return serve


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.long), "2"])
def test_a_client_verifies_a_server_whose_key_is_locked(
    https: Callable[..., Https], files: Files, workers: str
) -> None:
    server = https("--workers", workers, *tls(files.certificate, files.locked_key, files.password))
    server.assert_verified()
    assert PASSWORD not in server.stopped()


# Python deprecates even naming what is old.
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_on_a_network_nothing_older_than_tls_1_2_no_plain_http_and_no_warning(
    https: Callable[..., Https], files: Files
) -> None:
    server = https("--host", "0.0.0.0", *tls(files.certificate, files.key))
    server.assert_verified()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(address(server.url), timeout=30) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url.replace("https", "http") + "/healthz", timeout=30)
    assert requests.get(server.url + "/healthz", verify=str(files.certificate), timeout=30).ok
    assert "without TLS" not in server.stopped()


def test_silent_connections_before_the_handshake_shut_nobody_out(https: Callable[..., Https], files: Files) -> None:
    server = https(*tls(files.certificate, files.key))
    # Fewer than the limit on connections, so that the operating system refuses further ones.
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (80, 80))
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address(server.url), timeout=30)) for _ in range(150)]
        for _ in range(3):
            assert requests.get(server.url + "/healthz", verify=str(files.certificate), timeout=30).ok
        assert silent[0].recv(1) == b""
    assert server.stopped().count("too many connections (Too many open files)") == 1


@pytest.mark.parametrize("loop", ["uvloop", pytest.param("asyncio", marks=pytest.mark.long)])
def test_a_client_that_leaves_is_no_fault_of_the_server(
    https: Callable[..., Https], files: Files, tmp_path: Path, loop: str
) -> None:
    if loop == "asyncio":
        # As on Windows, which has no uvloop.
        (tmp_path / "uvloop.py").write_text("raise ImportError")
    options = (*tls(files.certificate, files.key), "--access-log", os.devnull)
    server = https(*options, dataset="synthetic:20000", PYTHONPATH=str(tmp_path))
    trusting = ssl.create_default_context(cafile=files.certificate)

    def connect() -> socket.socket:
        return socket.create_connection(address(server.url), timeout=30)

    def connect_with_tls() -> ssl.SSLSocket:
        # It ends without close_notify.
        return trusting.wrap_socket(connect(), server_hostname="127.0.0.1")

    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1").do_handshake()
    half = hello.read()[:100]
    for sent in (b"", half, half + b"x" * 1000, leaving_testing.HEALTH, b"\x15\x03\x01\x00\x02\x02\x00"):
        for leave in (leaving_testing.reset, socket.socket.close):
            connection = connect()
            connection.sendall(sent)
            leave(connection)
    for sent in (b"", leaving_testing.CSV):
        with connect_with_tls() as encrypted, socket.socket(fileno=os.dup(encrypted.fileno())) as raw:
            raw.settimeout(30)
            encrypted.sendall(sent)
            raw.sendall(b"this is not a record of TLS")
            raw.recv(1000)
    leaving_testing.leave_in_every_way(connect_with_tls)
    assert requests.get(server.url + "/healthz", verify=str(files.certificate), timeout=30).ok
    # asyncio warns when TLS itself writes to a connection that was reset.
    output = server.stopped().replace("WARNING asyncio: socket.send() raised exception.", "")
    warnings = [line for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
    assert [line for line in warnings if "WARNING movielens_api.server.connection: " not in line] == []


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    def run(*options: str) -> str:
        # Unknown: the certificate is checked before the dataset.
        assert main(["serve", "--dataset", "nothing", *options]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err

    return run


def test_a_certificate_needs_its_key_and_the_reverse(refused: Refused, files: Files) -> None:
    both = "TLS needs both --tls-certificate and --tls-key"
    assert both in refused("--tls-certificate", str(files.certificate))
    assert both in refused("--tls-key", str(files.key))
    assert both in refused("--tls-key-password-file", str(files.password))


def test_a_missing_file_is_refused(refused: Refused, files: Files) -> None:
    gone = files.key.with_name("gone.pem")
    for options in (tls(gone, files.key), tls(files.certificate, gone), tls(files.certificate, files.key, gone)):
        assert f"cannot read {gone}: No such file or directory" in refused(*options)


def test_a_key_of_another_certificate(refused: Refused, files: Files) -> None:
    assert f"{files.other_key} is not the key of the certificate" in refused(*tls(files.certificate, files.other_key))


def test_a_locked_key(refused: Refused, files: Files, tmp_path: Path) -> None:
    assert "--tls-key-password-file is missing" in refused(*tls(files.certificate, files.locked_key))
    (tmp_path / "wrong").write_text("wrong")
    said = refused(*tls(files.certificate, files.locked_key, tmp_path / "wrong"))
    assert f"the password in {tmp_path / 'wrong'} is wrong" in said


def test_files_that_are_not_pem_are_refused(refused: Refused, files: Files, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    assert "cannot use" in refused(*tls(tmp_path / "text", files.key))
    assert "cannot use" in refused(*tls(files.certificate, tmp_path / "text"))
