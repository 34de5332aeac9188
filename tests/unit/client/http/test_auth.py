"""Credentials: sent only to the API's own origin, and never shown."""

from __future__ import annotations

import base64

import pytest
import requests
from unit.client_reads import ROWS, read
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import DataError, FatalError, MovielensClient


def test_a_token_is_sent_instead_of_user_and_password():
    with (
        serve(lambda _, query, __: page_of([], query)) as server,
        MovielensClient(server.base_url, token="t0ken") as client,
    ):
        list(client.get_ratings())
        assert server.requests[0][2]["Authorization"] == "Bearer t0ken"


def test_user_and_password_are_sent_as_utf_8():
    with serve(lambda _, query, __: page_of([], query)) as server:
        with MovielensClient(server.base_url, "jürgen", "pass:wörd") as client:
            list(client.get_ratings())
        kind, _, encoded = server.requests[0][2]["Authorization"].partition(" ")
    assert (kind, base64.b64decode(encoded).decode()) == ("Basic", "jürgen:pass:wörd")


def test_a_redirect_to_another_host_is_refused_and_gets_no_credentials():
    with serve(lambda _, query, __: page_of(ROWS, query)) as other:
        with serve(lambda *_: Response({}, 302, {"Location": f"{other.base_url}/ratings"})) as server:
            with pytest.raises(FatalError, match=r"redirects to http://127\.0\.0\.1:\d+, whose port differs"):
                read(server)
        assert other.requests == []


def test_a_redirect_within_the_host_is_followed():
    def script(path, query, _):
        if path == "/ratings":
            target = "/v1/ratings?" + "&".join(f"{name}={value}" for name, value in query.items())
            return Response({}, 307, {"Location": target})
        return page_of(ROWS, query)

    with serve(script) as server:
        assert read(server) == ROWS


def test_a_redirect_from_https_to_http_stays_on_https():
    redirect = requests.Response()
    redirect.status_code, redirect.url = 302, "https://api.example.com/ratings"
    redirect.headers["Location"] = "http://api.example.com/ratings/"
    redirect.request = requests.Request("GET", redirect.url).prepare()
    with MovielensClient("https://api.example.com") as client:
        assert client.session.get_redirect_target(redirect) == "https://api.example.com/ratings/"


@pytest.mark.parametrize("location", ["http://[bad", "http://a..b/"])
def test_a_redirect_to_an_invalid_url_is_fatal(location):
    with serve(lambda *_: Response({}, 302, {"Location": location})) as server, pytest.raises(FatalError):
        read(server)


def test_credentials_in_an_error_response_are_not_shown():
    secret = base64.b64encode(b"user:secret").decode()
    with serve(lambda *_: Response({"detail": f"you sent Basic {secret}"}, 400)) as server:
        with pytest.raises(FatalError, match=r"you sent Basic \*\*\*") as caught:
            read(server)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        Response(b"<p>you sent s3cret</p>", headers={"Content-Type": "text/html"}),
        page_of([ROWS[0] | {"rating": "s3cret"}], {}),
    ],
)
def test_credentials_in_a_successful_response_are_not_shown(response, caplog):
    with serve(lambda *_: response) as server, MovielensClient(server.base_url, "user", "s3cret", retries=1) as client:
        with pytest.raises(DataError, match=r"\*\*\*") as caught:
            list(client.get_ratings())
    assert "Attempt 1 failed" in caplog.text
    assert "s3cret" not in str(caught.value) + caplog.text


def test_credentials_in_a_total_are_not_shown():
    with serve(lambda *_: page_of(ROWS, {}, total="s3cret")) as server:
        with MovielensClient(server.base_url, "user", "s3cret", retries=0) as client:
            with pytest.raises(DataError, match=r"\*\*\*") as caught:
                client.count_ratings()
    assert "s3cret" not in str(caught.value)
