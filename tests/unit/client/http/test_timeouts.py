"""Requests that never end by themselves are cut off by the total timeout or an abort, and leave no thread."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from unit.raw_server import Authority, drips, listen, ok, request_head, says, server_context

from airflow_movielens.client import ClientSettings, RetryableError
from airflow_movielens.client.errors import AbortedError
from airflow_movielens.client.http import timeouts
from airflow_movielens.client.http.transport import Transport

pytestmark = pytest.mark.slow

JSON = "application/json"
FOREVER = {"connect_timeout": 60, "read_timeout": 60, "total_timeout": 60}

DRIPS = {
    "status line": drips(b"HTTP/1.1 2", b"0"),
    "headers": drips(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "body": drips(ok(b"", "Content-Length: 1000000"), b" "),
    "body of a connection that is to close": drips(ok(b"", "Content-Length: 1000000", "Connection: close"), b" "),
    "body without length": drips(ok(b""), b" "),
    "chunks": drips(ok(b"", "Transfer-Encoding: chunked"), b"1\r\na\r\n"),
    "error": drips(b"HTTP/1.1 503 busy\r\nContent-Length: 9999999\r\n\r\n", b" "),
    "redirect": drips(b"HTTP/1.1 302 there\r\nLocation: /x\r\nContent-Length: 9999999\r\n\r\n", b" "),
    "nothing": lambda connection: [request_head(connection), connection.recv(1)],
}


def ask(transport, url, how="get"):
    if how == "get":
        return transport.get(f"{url}/ratings", JSON, 1000)
    with transport.stream(f"{url}/ratings", JSON) as response:
        return b"".join(response.chunks())


@pytest.fixture(autouse=True)
def no_thread_stays_behind():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread


@pytest.mark.parametrize("how", ["get", "stream"])
@pytest.mark.parametrize("speak", DRIPS.values(), ids=DRIPS.keys())
def test_the_total_timeout_ends_a_slow_response(speak, how):
    with listen(speak) as port:
        transport = Transport(ClientSettings(f"http://127.0.0.1:{port}", total_timeout=0.3))
        with pytest.raises(RetryableError, match=r"took longer than 0\.3 s"):
            ask(transport, f"http://127.0.0.1:{port}", how)
        transport.close()


def after_one_response(speak):
    def both(connection):
        request_head(connection)
        connection.sendall(ok(b"1", "Content-Length: 1"))
        speak(connection)

    return both


KEPT = [
    ("headers", "total_timeout"),
    ("body", "total_timeout"),
    ("nothing", "total_timeout"),
    ("nothing", "read_timeout"),
]


@pytest.mark.parametrize(("drip", "limit"), KEPT)
@pytest.mark.parametrize("is_secure", [False, True])
def test_a_kept_connection_has_the_same_timeouts(drip, limit, is_secure, tmp_path):
    authority = Authority(tmp_path)
    context = server_context(authority.issue()) if is_secure else None
    with listen(after_one_response(DRIPS[drip]), context) as port:
        url = f"{'https' if is_secure else 'http'}://localhost:{port}"
        trusted = str(authority.certificate) if is_secure else None
        transport = Transport(ClientSettings(url, ca_file=trusted, **{limit: 1.0}))
        assert ask(transport, url).body == b"1"
        message = r"took longer than 1 s" if limit == "total_timeout" else "did not respond in time"
        with pytest.raises(RetryableError, match=message):
            ask(transport, url)
        transport.close()


def test_the_total_timeout_ends_a_hanging_tls_handshake(tmp_path):
    authority = Authority(tmp_path)
    with listen(lambda connection: [connection.recv(9999), connection.recv(1)]) as port:
        settings = ClientSettings(f"https://localhost:{port}", total_timeout=0.3, ca_file=str(authority.certificate))
        transport = Transport(settings)
        with pytest.raises(RetryableError, match=r"took longer than 0\.3 s"):
            ask(transport, f"https://localhost:{port}")
        transport.close()


@pytest.mark.parametrize("how", ["get", "stream"])
def test_the_total_timeout_ends_a_slow_response_over_tls(tmp_path, how):
    authority = Authority(tmp_path)
    context = server_context(authority.issue())
    with listen(drips(ok(b"", "Content-Length: 1000000"), b" "), context) as port:
        settings = ClientSettings(f"https://localhost:{port}", total_timeout=0.5, ca_file=str(authority.certificate))
        transport = Transport(settings)
        with pytest.raises(RetryableError, match=r"took longer than 0\.5 s"):
            ask(transport, f"https://localhost:{port}", how)
        transport.close()


@pytest.fixture
def silent_port():
    """A port where connecting never ends: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_the_total_timeout_ends_connecting(silent_port):
    transport = Transport(ClientSettings(f"http://127.0.0.1:{silent_port}", total_timeout=0.3, connect_timeout=60))
    with pytest.raises(RetryableError, match=r"took longer than 0\.3 s"):
        ask(transport, f"http://127.0.0.1:{silent_port}")
    transport.close()


def test_the_connect_timeout_is_a_timeout(silent_port):
    transport = Transport(ClientSettings(f"http://127.0.0.1:{silent_port}", connect_timeout=0.2))
    with pytest.raises(RetryableError, match="did not respond in time"):
        ask(transport, f"http://127.0.0.1:{silent_port}")
    transport.close()


def test_the_time_that_the_reader_takes_does_not_count():
    body = bytes(3 * 1024**2)
    with listen(says(ok(body, f"Content-Length: {len(body)}"))) as port:
        transport = Transport(ClientSettings(f"http://127.0.0.1:{port}", total_timeout=0.2))
        with transport.stream(f"http://127.0.0.1:{port}/", JSON) as response:
            size = 0
            for piece in response.chunks():
                size += len(piece)
                time.sleep(0.3)
        transport.close()
    assert size == len(body)


def outcome_of(call):
    """Run ``call`` in a thread; its error is the thread's ``error``."""

    def run():
        try:
            call()
        except AbortedError as error:
            thread.error = error

    thread = threading.Thread(target=run)
    thread.error = None
    thread.start()
    return thread


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("how", ["get", "stream"])
@pytest.mark.parametrize("speak", DRIPS.values(), ids=DRIPS.keys())
def test_abort_cuts_requests_in_flight(speak, how):
    begun = threading.Event()

    def speak_and_tell(connection):
        begun.set()
        speak(connection)

    with listen(speak_and_tell) as port:
        transport = Transport(ClientSettings(f"http://127.0.0.1:{port}", **FOREVER))
        asking = [outcome_of(lambda: ask(transport, f"http://127.0.0.1:{port}", how)) for _ in range(3)]
        begun.wait(10)
        transport.abort()
        for thread in asking:
            thread.join(10)
            assert isinstance(thread.error, AbortedError)
        transport.close()


def test_abort_cuts_connecting(silent_port):
    transport = Transport(ClientSettings(f"http://127.0.0.1:{silent_port}", **FOREVER))
    asking = outcome_of(lambda: ask(transport, f"http://127.0.0.1:{silent_port}"))
    until(lambda: transport._timeouts._in_flight)
    transport.abort()
    asking.join(10)
    assert isinstance(asking.error, AbortedError)
    transport.close()


def test_a_branch_is_aborted_alone_and_with_its_parent():
    with listen(DRIPS["body"]) as port:
        trunk = Transport(ClientSettings(f"http://127.0.0.1:{port}", **FOREVER))
        branches = [trunk.branch(), trunk.branch()]
        first, second, own = (
            outcome_of(lambda one=one: ask(one, f"http://127.0.0.1:{port}")) for one in [*branches, trunk]
        )
        until(lambda: all(each._timeouts._in_flight for each in [*branches, trunk]))
        branches[0].abort()
        first.join(10)
        assert isinstance(first.error, AbortedError)
        assert second.is_alive()
        assert own.is_alive()
        trunk.close()
        second.join(10)
        own.join(10)
        assert isinstance(second.error, AbortedError)
        assert isinstance(own.error, AbortedError)


def test_the_watcher_ends_when_there_is_nothing_to_watch():
    with listen(says(ok(b"1", "Content-Length: 1"))) as port:
        transport = Transport(ClientSettings(f"http://127.0.0.1:{port}", total_timeout=0.05))
        for _ in range(2):
            ask(transport, f"http://127.0.0.1:{port}")
            until(lambda: transport._timeouts._watcher is None)
        transport.close()


def test_sockets_are_released():
    with listen(says(ok(b"1", "Content-Length: 1"))) as port:
        transport = Transport(ClientSettings(f"http://127.0.0.1:{port}"))
        with transport._timeouts.request() as request:
            transport._sender.send(f"http://127.0.0.1:{port}/", JSON, request).whole(1000)
            assert request._socket is not None
        assert request._socket is None
        assert timeouts.request_being_sent() is None
        transport.close()
