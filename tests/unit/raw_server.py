"""Servers that write raw bytes, with or without TLS; a proxy; and certificates."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

Speak = Callable[[socket.socket], None]


def request_head(connection: socket.socket) -> bytes:
    """Return the head of the next request; empty if the client has gone."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


@contextmanager
def listen(speak: Speak, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield a port, and run ``speak`` in a new thread for each connection to it."""
    threads: list[threading.Thread] = []

    def converse(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if context is None:
                speak(connection)
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                speak(secured)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive(), "the client has not closed a connection"


def says(response: bytes) -> Speak:
    """Send a response to the request, then close the connection."""

    def speak(connection: socket.socket) -> None:
        if request_head(connection):
            connection.sendall(response)

    return speak


def hangs(open_connections: set[socket.socket]) -> Speak:
    """Read each request and send nothing; the set holds the connections that clients keep open."""

    def speak(connection: socket.socket) -> None:
        if request_head(connection):
            open_connections.add(connection)
            connection.recv(1)
            open_connections.discard(connection)

    return speak


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def drips(before: bytes, drop: bytes) -> Speak:
    """Send ``before``, then ``drop`` repeatedly until the client closes the connection."""

    def speak(connection: socket.socket) -> None:
        request_head(connection)
        connection.sendall(before)
        connection.settimeout(0.02)
        while True:
            connection.sendall(drop)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return speak


@contextmanager
def proxy(seen: list[bytes], response: bytes = b"") -> Iterator[int]:
    """Run a proxy that records the heads and forwards everything, or sends ``response`` and closes the connection."""

    def speak(connection: socket.socket) -> None:
        head = request_head(connection)
        seen.append(head)
        if response:
            connection.sendall(response)
            return
        method, target = head.split(b" ")[:2]
        host, _, port = target.removeprefix(b"http://").partition(b"/")[0].decode().partition(":")
        with socket.create_connection((host, int(port))) as server:
            if method == b"CONNECT":
                connection.sendall(b"HTTP/1.1 200 go\r\n\r\n")
            else:
                server.sendall(head)
            back = threading.Thread(target=_forward, args=(server, connection), daemon=True)
            back.start()
            _forward(connection, server)
            back.join()

    with listen(speak) as port:
        yield port


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Authority:
    """Makes certificates, as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("an authority of the tests")
        self.certificate = self._issue("authority", self._name, self._key, days=(-1, 1), is_authority=True)

    def issue(self, host: str = "localhost", days: tuple[int, int] = (-1, 1)) -> Path:
        """Return a file with certificate and key for ``host``, valid between two days relative to today."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _with_key(self._issue(f"{host}{days}", _name(host), key, days), key)

    def self_signed(self) -> Path:
        """Return a file with the authority's own certificate and key."""
        return _with_key(self._issue("self-signed", self._name, self._key, days=(-1, 1)), self._key)

    def _issue(
        self, file: str, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days, *, is_authority=False
    ) -> Path:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            host = subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(str(host))]), critical=False)
        path = self._folder / f"{file}.pem"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


def _with_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(path.read_bytes() + private)
    return path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def server_context(certificate: Path, clients: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a server, which requires client certificates of the authority ``clients``, if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
