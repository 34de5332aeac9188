"""ETag and 304, content codings, and HEAD."""

from __future__ import annotations

import gzip
import http.client
import sys
from base64 import b64encode
from urllib.parse import urlsplit

import pytest
from api_testing import Api, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.formats import FORMATS
from movielens_api.table.catalogue import Catalogue

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NDJSON, CSV, ARROW, PARQUET = FORMATS
MEDIA_TYPES = ["application/json", *FORMATS]
DECODE = {"gzip": gzip.decompress, "zstd": zstd.decompress, "identity": bytes}
KEPT_BY_304 = ["ETag", "Cache-Control", "Vary", "Snapshot", "Link", "Link-Template", "X-Total-Count"]


def raw(api: Api, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a request without a library that would decode or drop parts of the response."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Authorization", "Basic " + b64encode(b"movielens:movielens").decode())
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("query", ["limit=50", ""])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_304_for_a_current_copy(api: Api, media_type: str, query: str, encoding: str) -> None:
    path, wanted = f"/ratings?{query}", {"Accept": media_type, "Accept_Encoding": encoding}
    first, body = raw(api, path, **wanted)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    for sent in (tag, f'"other", W/{tag}', "*"):
        again, nothing = raw(api, path, **wanted, If_None_Match=sent)
        assert (again.status, nothing) == (304, b"")
        assert {name: again.headers[name] for name in KEPT_BY_304} == {
            name: first.headers[name] for name in KEPT_BY_304
        }
        assert "Content-Type" not in again.headers
    for sent in ('"other"', tag.strip('"'), "", tag[:-2] + '"'):
        again, same = raw(api, path, **wanted, If_None_Match=sent)
        assert again.status == 200
        assert same == body, "the tag is strong: the same bytes"


def test_every_response_has_its_own_tag(api: Api) -> None:
    queries = ["limit=50", "limit=51", "limit=50&offset=1", "limit=50&end_date=2016-01-01", "start_date=2000-01-01"]
    tags = [
        raw(api, f"/ratings?{query}", Accept=media_type, Accept_Encoding=encoding)[0].headers["ETag"]
        for query in queries
        for media_type in MEDIA_TYPES
        for encoding in DECODE
        if not (media_type == PARQUET and encoding != "identity")
    ]
    assert len(set(tags)) == len(tags)


def test_another_snapshot_has_another_tag(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        before = server.ask("/ratings")
        server.post([{**row, "rating": 1.0} for row in before.json()["result"]])
        changed = server.ask("/ratings", if_none_match=before.headers["etag"])
        assert changed.status_code == 200
        assert {row["rating"] for row in changed.json()["result"]} == {1.0}
        assert server.ask("/ratings", if_none_match=changed.headers["etag"]).status_code == 304


def test_errors_come_before_304(api: Api) -> None:
    assert api.ask("/ratings?limit=x", if_none_match="*").status_code == 422
    assert api.ask("/ratings", if_none_match="*", accept="text/html").status_code == 406
    assert Api(api.url, auth=None).ask("/ratings", if_none_match="*").status_code == 401


def test_responses_are_private_and_revalidated(api: Api) -> None:
    response = api.ask("/ratings")
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("media_type", ["application/json", NDJSON, CSV, ARROW])
@pytest.mark.parametrize("query", ["limit=20", "limit=100", "limit=10000", "", "offset=90000"])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_response_has_the_same_content_in_fewer_bytes(
    api: Api, media_type: str, query: str, encoding: str
) -> None:
    plain, expected = raw(api, f"/ratings?{query}", Accept=media_type)
    assert "Content-Encoding" not in plain.headers
    response, body = raw(api, f"/ratings?{query}", Accept=media_type, Accept_Encoding=encoding)
    assert response.headers["Content-Encoding"] == encoding
    assert DECODE[encoding](body) == expected
    assert len(body) < len(expected)


@pytest.mark.parametrize(("media_type", "query"), [("application/json", "limit=19"), (CSV, "limit=0"), (PARQUET, "")])
def test_incompressible_content_is_sent_uncompressed(api: Api, media_type: str, query: str) -> None:
    response, _ = raw(api, f"/ratings?{query}", Accept=media_type, Accept_Encoding="gzip, zstd")
    assert response.status == 200
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("query", ["limit=50", "limit=10000", "", "limit=0"])
@pytest.mark.parametrize("encoding", ["identity", "zstd"])
def test_head_is_get_without_a_body(api: Api, media_type: str, query: str, encoding: str) -> None:
    wanted = {"Accept": media_type, "Accept_Encoding": encoding}
    get, _ = raw(api, f"/ratings?{query}", **wanted)
    head, body = raw(api, f"/ratings?{query}", "HEAD", **wanted)
    assert (head.status, body) == (200, b"")
    # How a body would be framed, and when, is not part of the response.
    changing = {"date", "transfer-encoding"}
    kept, expected = ({n: v for n, v in one.headers.items() if n.lower() not in changing} for one in (head, get))
    assert kept == expected


@pytest.mark.parametrize("path", ["/movies", "/movies/1", "/users", "/healthz", "/docs", "/openapi.json"])
def test_head_of_other_routes(api: Api, path: str) -> None:
    get, head = api.ask(path), api.ask(path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/movies/0", 404), ("/ratings?limit=x", 422)])
def test_head_of_a_mistake(api: Api, path: str, status: int) -> None:
    assert api.ask(path, "HEAD").status_code == status
    assert Api(api.url, auth=None).ask("/ratings", "HEAD").status_code == 401
