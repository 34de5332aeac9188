"""TLS and proxies: whom the client trusts, which certificate it sends, and its errors."""

from __future__ import annotations

import base64
import ssl

import pytest
import requests
from unit.raw_server import Authority, listen, ok, proxy, says, server_context
from unit.scripted_server import Response, serve

from airflow_movielens.client import ClientSettings, FatalError, RetryableError
from airflow_movielens.client.http.transport import Transport

FINE = says(ok(b"1", "Content-Length: 1"))


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ask(url, **settings):
    transport = Transport(ClientSettings(url, **settings))
    try:
        return transport.get(f"{url}/ratings", "application/json", 1000).body
    finally:
        transport.close()


def ask_tls(certificate, speak=FINE, clients=None, **settings):
    with listen(speak, server_context(certificate, clients)) as port:
        return ask(f"https://localhost:{port}", **settings)


def test_a_certificate_of_a_trusted_authority_is_good(authority):
    assert ask_tls(authority.issue(), ca_file=str(authority.certificate)) == b"1"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_may_name_the_authority(authority, monkeypatch, name):
    monkeypatch.setenv(name, str(authority.certificate))
    assert ask_tls(authority.issue()) == b"1"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("host", "days", "trusted", "problem"),
    [
        ("localhost", (-1, 1), False, "comes from an authority that is not trusted"),
        ("localhost", (-3, -1), True, "has expired"),
        ("localhost", (1, 2), True, "is not valid yet"),
        ("elsewhere", (-1, 1), True, "is for another host name"),
    ],
)
def test_a_bad_certificate_is_fatal_and_reported_in_one_sentence(authority, host, days, trusted, problem):
    settings = {"ca_file": str(authority.certificate)} if trusted else {}
    with pytest.raises(FatalError, match=f"the API's certificate {problem}"):
        ask_tls(authority.issue(host, days), **settings)
    assert ask_tls(authority.issue(host, days), verify_tls=False) == b"1"


def test_only_the_given_authority_is_trusted(authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with pytest.raises(FatalError, match="not trusted"):
        ask_tls(authority.issue(), ca_file=str(other.certificate))


def test_a_client_certificate_is_sent(authority):
    certificate, trusted = str(authority.issue("somebody")), str(authority.certificate)
    settings = {"ca_file": trusted, "client_certificate": certificate, "client_key": certificate}
    assert ask_tls(authority.issue(), clients=authority.certificate, **settings) == b"1"


def test_a_missing_client_certificate_is_fatal(authority):
    context = server_context(authority.issue(), authority.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in TLS 1.3 the alert may be lost with the connection
    with listen(FINE, context) as port, pytest.raises(FatalError, match="ask for a client certificate"):
        ask(f"https://localhost:{port}", ca_file=str(authority.certificate))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ca_file": "nowhere.pem"}, r"the CA file 'nowhere\.pem' cannot be used: No such file"),
        ({"ca_file": __file__}, r"the CA file '.*test_tls\.py' cannot be used: it is not usable PEM"),
        ({"client_certificate": "nowhere.pem"}, r"file 'nowhere\.pem' cannot be read: No such file"),
        ({"client_certificate": __file__}, r"test_tls\.py' cannot be used: it is not usable PEM"),
        ({"client_certificate": __file__, "client_key": "nowhere.key"}, r"file 'nowhere\.key' cannot be read"),
        ({"client_key": __file__}, "without client_certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(settings, problem):
    with pytest.raises(FatalError, match=problem):
        Transport(ClientSettings("https://localhost", **settings))


def test_an_encrypted_key_is_refused_without_a_prompt(authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    path = authority.issue("somebody")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"hunter2")))
    with pytest.raises(FatalError, match="without a passphrase"):
        Transport(ClientSettings("https://localhost", client_certificate=str(path), client_key=str(encrypted)))


def test_plain_http_at_an_https_address_is_fatal():
    with serve(lambda *_: Response({})) as server, pytest.raises(FatalError, match="does not speak TLS"):
        ask(server.base_url.replace("http:", "https:"))


def test_a_tls_connection_that_breaks_is_retryable(authority):
    with pytest.raises(RetryableError):
        ask_tls(authority.issue(), says(ok(b"1", "Content-Length: 10")), ca_file=str(authority.certificate))
    with listen(lambda connection: connection.recv(100)) as port, pytest.raises(RetryableError):
        ask(f"https://localhost:{port}", verify_tls=False)


def through_proxy(monkeypatch, url, response=b"", **settings):
    seen = []
    with proxy(seen, response) as port:
        monkeypatch.setenv("http_proxy", f"http://us%40er:hunter2@127.0.0.1:{port}")
        monkeypatch.setenv("https_proxy", f"http://us%40er:hunter2@127.0.0.1:{port}")
        return ask(url, **settings), seen


PROXY_AUTHORIZATION = b"Proxy-Authorization: Basic " + base64.b64encode(b"us@er:hunter2")


def test_http_goes_through_the_proxy_of_the_environment(monkeypatch):
    with serve(lambda *_: Response({})) as server:
        body, (head,) = through_proxy(monkeypatch, server.base_url, user="u", password="p")
    assert body == b"{}"
    assert head.startswith(f"GET {server.base_url}/ratings HTTP/1.1\r\n".encode())
    assert PROXY_AUTHORIZATION in head


def test_https_goes_through_a_tunnel_that_sees_no_credentials(monkeypatch, authority):
    with listen(FINE, server_context(authority.issue())) as port:
        url = f"https://localhost:{port}"
        body, (head,) = through_proxy(monkeypatch, url, token="abc", ca_file=str(authority.certificate))
    assert body == b"1"
    assert head.startswith(b"CONNECT localhost:")
    assert PROXY_AUTHORIZATION in head
    assert b"Bearer" not in head


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [(b"407 Who", FatalError, "the proxy refuses the credentials"), (b"502 Bad", RetryableError, "proxy|busy or broken")],
)  # fmt: skip
def test_a_proxy_that_refuses_is_reported_without_its_credentials(monkeypatch, scheme, status, error, problem):
    response = b"HTTP/1.1 " + status + b"\r\nContent-Length: 7\r\n\r\nhunter2"
    with pytest.raises(error, match=problem) as caught:
        through_proxy(monkeypatch, f"{scheme}://localhost:9", response)
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_proxy_is_retryable_and_reported_without_its_credentials(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://user:hunter2@127.0.0.1:9")
    with pytest.raises(RetryableError, match="through the proxy") as caught:
        ask("http://localhost:9")
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_is_not_a_url_is_fatal_and_not_shown(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://user:hunter2@[bad")
    with pytest.raises(FatalError, match="the proxy in the environment is unusable") as caught:
        ask("http://localhost:9")
    assert "hunter2" not in str(caught.value)


def test_the_variable_no_proxy_is_respected(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    with serve(lambda *_: Response({})) as server:
        assert ask(server.base_url) == b"{}"


def test_the_environment_is_read_once(monkeypatch):
    with serve(lambda *_: Response({})) as server:
        transport = Transport(ClientSettings(server.base_url))
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert transport.get(f"{server.base_url}/ratings", "application/json", 1000).body == b"{}"
        assert transport.session.get(f"{server.base_url}/ratings").json() == {}
        transport.close()


def test_the_session_of_users_has_the_same_tls_whatever_they_ask(authority):
    with listen(FINE, server_context(authority.issue())) as port:
        transport = Transport(ClientSettings(f"https://localhost:{port}", ca_file=str(authority.certificate)))
        assert transport.session.get(f"https://localhost:{port}/x").text == "1"
        transport.close()


def test_no_request_of_users_turns_verification_off(authority):
    with listen(FINE, server_context(authority.issue())) as port:
        transport = Transport(ClientSettings(f"https://localhost:{port}"))
        with pytest.raises(requests.exceptions.SSLError):
            transport.session.get(f"https://localhost:{port}/x", verify=False)
        transport.close()
