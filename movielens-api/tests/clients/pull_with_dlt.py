"""Pull a window with dlt's REST source. Print each row when it arrives, and wait for a line before the next."""

from __future__ import annotations

import json
import sys

from dlt.sources.rest_api import rest_api_source

url, user, password, start, end, limit = sys.argv[1:]
source = rest_api_source(
    {
        "client": {
            "base_url": url,
            "auth": {"type": "http_basic", "username": user, "password": password},
            "paginator": "header_link",
        },
        "resources": [
            {
                "name": "ratings",
                "endpoint": {
                    "path": "ratings",
                    "params": {"start_date": start, "end_date": end, "limit": limit},
                    "data_selector": "result",
                },
            }
        ],
    }
)
for row in source.resources["ratings"]:
    print(json.dumps(row), flush=True)
    sys.stdin.readline()
