"""The connection type: its form, what its fields become, and the test button."""

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import Connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from unit.scripted_server import Answer, serve

from airflow_movielens.client import ClientSettings, FatalError
from airflow_movielens.connection import EXTRA_FIELDS, client_from_connection
from airflow_movielens.hooks import MovielensHook
from airflow_movielens.provider import get_provider_info

FORM = get_provider_info()["connection-types"][0]["conn-fields"]


def settings_of(**extra):
    with client_from_connection(Connection(conn_id="shop", conn_type="movielens", extra=json.dumps(extra))) as client:
        return client.settings


@pytest.mark.parametrize(
    ("parts", "base_url"),
    [
        ({}, "http://localhost:5000"),
        ({"host": "api", "schema": "https", "port": 443}, "https://api:443"),
        ({"host": "https://api.example.com/v1"}, "https://api.example.com/v1"),
    ],
)
def test_host_schema_and_port_become_an_address(parts, base_url):
    with client_from_connection(Connection(conn_id="c", conn_type="movielens", **parts), retries=5) as client:
        assert client.settings == ClientSettings(base_url, retries=5)


READ = [
    ("page_size", 50, "page_size", 50),
    ("page_size", "50", "page_size", 50),
    ("concurrency", "4", "concurrency", 4),
    ("requests_per_second", "2.5", "requests_per_second", 2.5),
    ("requests_per_second", 10, "requests_per_second", 10.0),
    ("connect_timeout", 3, "connect_timeout", 3.0),
    ("read_timeout", "30", "read_timeout", 30.0),
    ("total_timeout", 99.5, "total_timeout", 99.5),
    ("data_format", "arrow", "data_format", "arrow"),
    ("verify_tls", False, "verify_tls", False),
    ("verify_tls", "false", "verify_tls", False),
    ("verify_tls", "False ", "verify_tls", False),
    ("verify_tls", "0", "verify_tls", False),
    ("verify_tls", 0, "verify_tls", False),
    ("verify_tls", "true", "verify_tls", True),
    ("ca_file", "/etc/ca.pem", "ca_file", "/etc/ca.pem"),
    ("client_certificate", "/etc/me.pem", "client_certificate", "/etc/me.pem"),
    ("client_key", "/etc/me.key", "client_key", "/etc/me.key"),
    ("api_token", "t0ken", "token", "t0ken"),
]


@pytest.mark.parametrize(("field", "given", "setting", "expected"), READ)
def test_a_field_becomes_a_setting(field, given, setting, expected):
    found = settings_of(
        **{field: given, "client_certificate": "/etc/me.pem"} if field == "client_key" else {field: given}
    )
    assert getattr(found, setting) == expected


@pytest.mark.parametrize("field", EXTRA_FIELDS)
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_field_means_the_default(field, empty):
    assert settings_of(**{field: empty}) == ClientSettings("http://localhost:5000")


REFUSED = [
    *((field, value) for field in ("page_size", "concurrency") for value in ("many", 0, -1, 1.5, True, [1])),
    *(
        (field, value)
        for field in ("requests_per_second", "connect_timeout", "read_timeout", "total_timeout")
        for value in ("soon", 0, -1, True, "nan", "inf", [1])
    ),
    ("data_format", "xml"),
    ("data_format", 1),
    ("verify_tls", "perhaps"),
    ("verify_tls", 2),
    *((field, 5) for field in ("ca_file", "client_certificate", "client_key", "api_token")),
]


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_an_unusable_field_is_named_with_its_connection(field, value):
    with pytest.raises(FatalError, match=rf"^connection 'shop': {field} is "):
        settings_of(**{field: value})


def test_a_token_that_is_no_text_is_not_repeated():
    with pytest.raises(FatalError) as caught:
        settings_of(api_token={"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_hooks_concurrency_goes_before_the_connections(connection):
    connection(extra=json.dumps({"concurrency": 8, "page_size": 10}))
    with MovielensHook("movielens") as hook:
        assert hook.client.settings.concurrency == 8
    with MovielensHook("movielens", concurrency=2) as hook:
        assert (hook.client.settings.concurrency, hook.client.settings.page_size) == (2, 10)
    with pytest.raises(FatalError, match="concurrency is 0"):
        _ = MovielensHook("movielens", concurrency=0).client


def test_the_form_has_every_field_that_is_understood_and_no_other():
    assert list(FORM) == list(EXTRA_FIELDS)


def test_every_setting_can_be_made_by_a_connection():
    by_itself = {"base_url", "user", "password", "retries"}
    made = {"token" if name == "api_token" else name for name in EXTRA_FIELDS}
    assert made | by_itself == {field.name for field in fields(ClientSettings)}


@pytest.mark.parametrize("field", FORM)
def test_the_forms_defaults_are_those_of_the_client(field):
    schema = FORM[field]["schema"]
    setting = "token" if field == "api_token" else field
    assert schema.get("default") == getattr(ClientSettings("http://api"), setting)
    assert "null" in schema["type"]
    assert FORM[field]["label"]
    assert FORM[field]["description"]


def test_only_the_token_is_secret():
    assert [name for name, field in FORM.items() if field["schema"].get("format") == "password"] == ["api_token"]


@contextmanager
def listening(handle):
    """Hand whoever connects to a free port over to ``handle``; gives the port."""
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


@pytest.fixture(scope="session")
def untrusted(tmp_path_factory):
    """A TLS context with a certificate that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    ).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def pressed():
    """What the test button says."""
    ok, sentence = MovielensHook("movielens").test_connection()
    assert "hunter2" not in sentence
    assert "\n" not in sentence
    return ok, sentence


def test_the_button_says_that_it_works_and_what_is_there(connection, api):
    assert pressed() == (True, f"Connected to {api.base_url}: it holds 100,004 ratings.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "hunter2"}, "refuses the credentials"),
        ({"login": None, "password": None}, "refuses the credentials"),
        ({"port": 9}, "Are host and port right? no connection to the API"),
        ({"host": "nowhere.invalid"}, "Are host and port right? no connection to the API"),
        ({"host": "ftp://nowhere"}, "not an http or https URL"),
        ({"schema": "https"}, " https://127.0.0.1:"),
        ({"extra": json.dumps({"page_size": "many"})}, "connection 'movielens': page_size is 'many'"),
    ],
)
def test_the_button_says_what_is_wrong(connection, changes, sentence):
    connection(**changes)
    ok, said = pressed()
    assert not ok
    assert sentence in said


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02", b""])
def test_the_button_knows_a_port_where_no_http_is_spoken(connection, words):
    def greet(connected):
        connected.recv(1000)
        connected.sendall(words)

    with listening(greet) as port:
        connection(port=port)
        ok, said = pressed()
    assert not ok
    assert said.startswith("There is no ratings API to be reached. Are host and port right? ")


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html>It works!</html>"), Answer({"hello": "world"}), Answer([1]), Answer({"total": "many"})],
    ids=["page", "other JSON", "list", "other total"],
)
def test_the_button_knows_another_web_server(connection, answer):
    with serve(lambda *_: answer) as server:
        connection(host=server.base_url)
        ok, said = pressed()
        assert len(server.requests) == 1
    assert not ok
    assert said.startswith("Something answers, but not as a ratings API does. Are host and port right? ")


def test_the_button_knows_a_certificate_that_is_not_to_be_trusted(connection, untrusted):
    with listening(lambda connected: untrusted.wrap_socket(connected, server_side=True).close()) as port:
        connection(port=port, schema="https")
        ok, said = pressed()
    assert not ok
    assert "certificate" in said
    assert "self-signed" in said
