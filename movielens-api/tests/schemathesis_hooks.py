"""What Schemathesis does not learn from the OpenAPI document: logins, links and NDJSON; and what is always true.

It loads this file if ``SCHEMATHESIS_HOOKS`` names it. ``LOGINS`` in the environment holds a JSON array of pairs: a value of
``Authorization``, and whether ratings may be posted with it.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

import schemathesis
from formats_testing import READERS

LOGINS: dict[str, bool] = dict(json.loads(os.environ["LOGINS"]))
WRITERS = [header for header, may_write in LOGINS.items() if may_write]
ACCEPTED = ["*/*", "application/json", *READERS]
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
# One of these headers says what to do next.
EXPLAINED = {
    401: {"www-authenticate"},
    405: {"allow"},
    415: {"accept-post", "accept-encoding"},
    429: {"retry-after"},
    503: {"retry-after"},
}
HASHES: dict[tuple[str, str], str] = {}


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    """Add what the document says in words only."""
    paths = document["paths"]
    # Too many wrong passwords are 429, where Schemathesis demands 401. Wrong tokens are not limited.
    for item in paths.values():
        for operation in item.values():
            if "security" in operation:
                operation["security"] = [{"bearer": []}]
    for path in ("/ratings", "/recommendations"):
        content = paths[path]["post"]["requestBody"]["content"]
        content[NDJSON] = content["application/json"]
    cursor = {"cursor": "$response.header.Link#regex:cursor=([^>]+)"}
    links = {name: {"operationId": name, "parameters": cursor} for name in ("list_ratings", "list_ratings_head")}
    paths["/ratings"]["get"]["responses"]["200"]["links"] = links


@schemathesis.serializer(NDJSON)
def lines(_context: Any, value: Any) -> bytes:
    """Write one line per row."""
    return b"\n".join(json.dumps(row).encode() for row in (value if isinstance(value, list) else [value]))


@schemathesis.auth(refresh_interval=None)
class Logins:
    """All logins in turn. The same request always has the same one, so that a failure can be repeated."""

    def get(self, case: Any, _context: Any) -> int:
        return crc32(repr((case.method, case.path, case.path_parameters, case.query, case.body)).encode())

    def set(self, case: Any, chance: int, _context: Any) -> None:
        # Half of the posts come from those who may post, and the others from anybody.
        among = WRITERS if (case.method, case.path) == ("POST", "/ratings") and chance % 2 else list(LOGINS)
        case.headers["Authorization"] = among[chance // 2 % len(among)]
        case.headers["Accept"] = ACCEPTED[chance // 7 % len(ACCEPTED)] if case.path == "/ratings" else "*/*"


@schemathesis.check
def logins_are_required(_context: Any, response: Any, case: Any) -> None:
    """Only known users get more than an error, and only those who may post."""
    may_write = LOGINS.get(response.request.headers.get("Authorization"))
    if response.status_code < 400 and case.operation.definition.raw.get("security"):
        assert may_write is not None, "an unknown user got an answer"
        assert may_write or (case.method, case.path) != ("POST", "/ratings"), "a user posted who may not"


@schemathesis.check
def errors_are_problems(_context: Any, response: Any, _case: Any) -> None:
    """Every error is a complete problem document, with the headers that go with its status."""
    if response.status_code < 400:
        return
    if response.status_code in EXPLAINED:
        assert EXPLAINED[response.status_code] & set(response.headers), "a header is missing"
    if response.request.method == "HEAD":
        assert not response.content
        return
    assert response.headers["content-type"] == [PROBLEM]
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    assert unquote(problem["instance"]) == unquote(urlsplit(response.request.url).path)
    assert {"type", "title", "detail"} <= set(problem)
    assert ("errors" in problem) <= (response.status_code == 422)
    assert "Traceback" not in response.content.decode()


@schemathesis.check
def etags_identify_responses(_context: Any, response: Any, case: Any) -> None:
    """The same ETag means the same bytes, and a client that has them gets 304."""
    [etag] = response.headers.get("etag", [""])
    if response.status_code != 200 or case.method != "GET" or not etag:
        return
    digest = sha256(response.content).hexdigest()
    assert HASHES.setdefault((response.request.url, etag), digest) == digest
    again = case.call(headers={"If-None-Match": f'"other", W/{etag}'})
    assert again.status_code in {304, 429}
    if again.status_code == 304:
        assert again.headers["etag"] == [etag]
        assert not again.content


@schemathesis.check
def pages_are_complete(_context: Any, response: Any, case: Any) -> None:
    """A page has exactly the rows that it should have, in their order, none of them twice."""
    if case.path != "/ratings" or case.method != "GET" or response.status_code != 200:
        return
    [media_type] = response.headers["content-type"]
    total = int(response.headers["x-total-count"][0])
    if media_type == "application/json":
        page = json.loads(response.content)
        rows = page["result"]
        assert page["total"] == total
        assert len(rows) == max(min(page["limit"], total - page["offset"]), 0)
        is_last = page["offset"] + page["limit"] >= total or not page["limit"]
        assert is_last == ("link" not in response.headers)
    else:
        rows = READERS[media_type](response.content)
        assert len(rows) <= total
    keys = [(row["timestamp"], row["userId"], row["movieId"]) for row in rows]
    assert keys == sorted(set(keys))
    if keys and "start_date" in case.query:
        assert keys[0][0] >= first_second(case.query["start_date"])
    if keys and "end_date" in case.query:
        assert keys[-1][0] < first_second(case.query["end_date"])


def first_second(day: Any) -> float:
    """Return the Unix seconds at which a day begins."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
