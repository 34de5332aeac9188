"""Links to the next page, behind a proxy or with an unusual path."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from unit.client_reads import DAY_2, ROWS, fetched
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import MovielensClient


def test_a_link_with_two_slashes_stays_on_the_host():
    def script(_, query, number):
        host = server.requests[number][2]["Host"]
        offset = int(query.get("cursor", query["offset"]))
        page = page_of(ROWS, query | {"offset": str(offset)})
        more = f'<http://{host}//ratings?{urlencode(query | {"cursor": offset + 10})}>; rel="next"'
        return Response(page.body, headers={"Link": more} if offset + 10 < len(ROWS) else {})

    with serve(script) as server:
        assert fetched(server, DAY_2) == ROWS


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
