"""Links to the next page, behind a proxy or with an unusual path."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from unit.client_reads import DAY_2, ROWS, fetched
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import FatalError, MovielensClient
from airflow_movielens.client.rows import Bookmark


@pytest.mark.parametrize("path", ["//ratings", "//evil.test/ratings", "/\\evil.test/ratings"])
def test_a_link_whose_path_may_be_read_as_a_host_is_refused(path):
    def script(_, query, number):
        host = server.requests[number][2]["Host"]
        offset = int(query.get("cursor", query["offset"]))
        page = page_of(ROWS, query | {"offset": str(offset)})
        more = f'<http://{host}{path}?{urlencode(query | {"cursor": offset + 10})}>; rel="next"'
        return Response(page.body, headers={"Link": more} if offset + 10 < len(ROWS) else {})

    with serve(script) as server:
        with pytest.raises(FatalError, match=r"the API links to http.*, whose path begins with two slashes"):
            fetched(server, DAY_2)
        assert len(server.requests) == 1


@pytest.mark.parametrize("form", ["/ratings?{}", "http://127.0.0.1:{port}/ratings?{}", "/api/v1/ratings?{}", "?{}"])
def test_a_link_that_lacks_the_prefix_of_a_proxy_is_followed(form):
    def script(path, query, _):
        if path != "/api/v1/ratings":
            return Response({"detail": "no such path"}, 404)
        page = page_of(ROWS, query, total=None)
        end = int(query["offset"]) + len(page.body["result"])
        link = form.format(urlencode(query | {"offset": end}), port=server.base_url.rpartition(":")[2])
        page.headers = {"Link": f'<{link}>; rel="next"'} if end < len(ROWS) else {}
        return page

    with serve(script) as server, MovielensClient(f"{server.base_url}/api/v1", page_size=10) as client:
        assert list(client.get_ratings()) == ROWS


@pytest.mark.parametrize("url", ["//evil.test/x", "/\\evil.test/x", "http://evil.test/x", "evil.test", 5])
def test_a_bookmark_cannot_lead_to_another_host(url):
    values = Bookmark("cursor", 1, 10, 2, url="/ratings?cursor=a").to_dict()
    assert Bookmark.from_dict(values).url == "/ratings?cursor=a"
    with pytest.raises(ValueError, match="bookmark"):
        Bookmark.from_dict(values | {"url": url})
