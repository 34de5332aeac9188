"""The messages of the *Test* button."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from unit.raw_server import Authority, listen, ok, says, server_context
from unit.scripted_server import Response, serve

from airflow_movielens.hooks import MovielensHook

NOT_REACHED = "Cannot reach a ratings API with this host, port and schema (http or https): "
RATING = {"userId": 1, "movieId": 2, "rating": 3.5, "timestamp": 4}


@contextmanager
def listening(handle):
    """Call ``handle`` for each connection to a free port, and yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with suppress(OSError):
                while True:
                    connected, _ = listener.accept()
                    with connected, suppress(OSError):
                        handle(connected)

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def pressed():
    """Return the message of the *Test* button."""
    ok, sentence = MovielensHook("movielens").test_connection()
    assert "hunter2" not in sentence
    assert "\n" not in sentence
    return ok, sentence


def test_the_button_reports_success_and_the_number_of_ratings(connection, api):
    assert pressed() == (True, f"Connected to {api.base_url}: it holds 100,004 ratings.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "hunter2"}, "refuses the credentials"),
        ({"login": None, "password": None}, "asks for credentials, and none were given"),
        ({"port": 9}, f"{NOT_REACHED}no connection to the API"),
        ({"host": "nowhere.invalid"}, f"{NOT_REACHED}no connection to the API"),
        ({"host": "ftp://nowhere"}, "not an http or https URL"),
        ({"schema": "https"}, "the API does not speak TLS at this address: check host and port"),
        ({"schema": "v1"}, "schema is 'v1': give http or https"),
        ({"extra": json.dumps({"page_size": "many"})}, "page_size is 'many': give a whole number of at least 1"),
    ],
)
def test_the_button_reports_what_is_wrong(connection, changes, sentence):
    connection(**changes)
    ok, said = pressed()
    assert not ok
    assert sentence in said


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02", b""])
def test_the_button_recognises_a_port_without_http(connection, words):
    def greet(connected):
        connected.recv(1000)
        connected.sendall(words)

    with listening(greet) as port:
        connection(port=port)
        ok, said = pressed()
    assert not ok
    assert said.startswith(NOT_REACHED)


@pytest.mark.parametrize(
    "response",
    [Response(b"<html>It works!</html>"), Response({"hello": "world"}), Response([1]), Response({"total": "many"})],
    ids=["page", "other JSON", "list", "other total"],
)
def test_the_button_recognises_another_web_server(connection, response):
    with serve(lambda *_: response) as server:
        connection(host=server.base_url)
        ok, said = pressed()
        assert len(server.requests) <= 2
    assert not ok
    assert said.startswith("Something responds at this host and port, but not like a ratings API: ")


@pytest.mark.parametrize("there", [0, 1, 2, 5])
def test_the_button_accepts_a_server_without_totals(connection, there):
    def page(_path, query, _number):
        start, size = int(query["offset"]), int(query["limit"])
        rows = [{**RATING, "timestamp": number} for number in range(there)]
        return Response({"result": rows[start : start + size]})

    with serve(page) as server:
        connection(host=server.base_url)
        said = "it does not say how many ratings it holds" if there else "it holds no ratings"
        assert pressed() == (True, f"Connected to {server.base_url}: {said}.")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.mark.parametrize(
    ("issued_to", "trusted", "schema", "said"),
    [
        ("localhost", False, "https", "the API's certificate comes from an authority that is not trusted"),
        ("elsewhere", True, "https", "the API's certificate is for another host name"),
        ("localhost", True, "http", f"{NOT_REACHED}the API's response broke off"),
    ],
)
def test_the_button_reports_tls_errors(connection, authority, issued_to, trusted, schema, said):  # noqa: PLR0917
    parts = {"host": "localhost", "schema": schema}
    if trusted:
        parts["extra"] = json.dumps({"ca_file": str(authority.certificate)})
    with listen(says(ok(b"{}", "Content-Length: 2")), server_context(authority.issue(issued_to))) as port:
        connection(port=port, **parts)
        passed, sentence = pressed()
    assert not passed
    assert sentence.startswith(said)


def test_the_button_recognises_a_self_signed_certificate(connection, authority):
    with listen(says(b""), server_context(authority.self_signed())) as port:
        connection(host="localhost", port=port, schema="https")
        passed, sentence = pressed()
    assert not passed
    assert sentence.startswith("the API's certificate is self-signed: give the file that holds it as ca_file")


def test_the_button_does_not_show_the_generated_name(connection):
    connection(schema="v1")
    assert "connection '" not in pressed()[1]
