"""Links, redirects and rows with the client's own credentials: what is refused, and what a checkpoint keeps."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from unit.client.http.test_masking import FORMS, PASSWORD, TOKEN, secrets
from unit.client_reads import DAY_2, ROWS
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import FatalError, MovielensClient, MovielensError
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning

REFUSED = r"links or redirects to an address that holds the credentials: it was not requested .*\*\*\*"


def in_a_url(form):
    return quote(FORMS[form](PASSWORD), safe="%&#;")


@pytest.mark.parametrize("form", FORMS)
def test_a_link_with_credentials_is_refused_in_every_form(form):
    requested = "http://api/ratings?offset=0"
    assert secrets().are_in_link(f"http://api/ratings?cursor=ab.{in_a_url(form)}.yz", requested)
    assert not secrets().are_in_link("http://api/ratings?cursor=ab.yz", requested)


def test_a_password_that_we_write_into_each_url_is_no_reason_to_refuse_a_link():
    requested = "http://movielens/ratings?start_date=2000-11-20"
    for password in ("movielens", "2000-11-20", "1234567"):
        assert not secrets(password).are_in_link(f"{requested}&cursor=1234567", requested)


@pytest.mark.parametrize("credentials", [{"user": "user", "password": PASSWORD}, {"token": TOKEN}])
@pytest.mark.parametrize(
    "header",
    ['Link: <?{}&cursor=ab>; rel="next"', 'Link-Template: "?x={}{{&offset,limit}}"; rel="section"', "redirect"],
)
def test_an_api_that_puts_credentials_into_its_links_gets_one_request(header, credentials, caplog, tmp_path):
    caplog.set_level("DEBUG")
    written = quote(credentials.get("password", TOKEN))

    def script(_, query, __):
        if header == "redirect":
            return Response(b"", 302, {"Location": f"/elsewhere?p={written}"})
        name, value = header.split(": ", 1)
        return Response(page_of(ROWS, query).body, headers={name: value.format(written)})

    with serve(script) as server, MovielensClient(server.base_url, page_size=10, **credentials) as client:
        with pytest.raises(FatalError, match=REFUSED.removesuffix(r" .*\*\*\*")) as caught:
            fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"))
        assert len(server.requests) == 1
    assert written not in f"{caught.value} {caplog.text}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [PASSWORD, "x" * 100_000], ids=["credentials", "long"])
def test_a_bad_last_row_is_kept_in_the_checkpoint_short_and_without_credentials(value, tmp_path):
    # The last row of each page, with which the next one must begin.
    rows = [row | {"userId": value} if number % 9 == 0 < number else row for number, row in enumerate(ROWS)]
    broken = [True]

    def script(_, query, __):
        return Response({}, 503) if broken and int(query["offset"]) > 50 else page_of(rows, query)

    def fetch():
        settings = {"page_size": 10, "retries": 0, "concurrency": 1, "tuning": Tuning(part_rows=10)}
        with MovielensClient(server.base_url, "user", PASSWORD, **settings) as client:
            return fetch_ratings(client, DAY_2, LocalOutput(tmp_path / "r.csv"), on_bad_rows="quarantine")

    with serve(script) as server:
        with pytest.raises(MovielensError, match="503"):
            fetch()
        (checkpoint,) = tmp_path.glob(".partial-*/checkpoint.json")
        text = checkpoint.read_text()
        assert len(text) < 3_000
        assert PASSWORD not in json.loads(text)["bookmark"]["last"]
        broken.clear()
        server.requests.clear()
        manifest = fetch()
        assert int(server.requests[0][1]["offset"]) > 20
    assert (manifest.rows, manifest.quarantined) == (89, 11)
