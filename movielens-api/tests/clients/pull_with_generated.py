"""Pull a window with the client that openapi-python-client generates. Print each row, and wait for a line."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from datetime import date

from generated.api.ratings import list_ratings
from generated.client import AuthenticatedClient
from generated.models import PageRating

url, user, password, start, end, limit = sys.argv[1:]
client = AuthenticatedClient(url, token=b64encode(f"{user}:{password}".encode()).decode(), prefix="Basic")
response = list_ratings.sync_detailed(
    client=client, start_date=date.fromisoformat(start), end_date=date.fromisoformat(end), limit=int(limit)
)
while True:
    assert isinstance(response.parsed, PageRating), response.parsed
    for rating in response.parsed.result:
        print(json.dumps(rating.to_dict()), flush=True)
        sys.stdin.readline()
    following = re.search(r'cursor=([^&>]+)[^,]*; rel="next"', response.headers.get("link", ""))
    if not following:
        break
    response = list_ratings.sync_detailed(client=client, cursor=following[1])
