"""The ratings API of "Data Pipelines with Apache Airflow" (second edition), rewritten from its contract.

Basic authentication; ``GET /ratings`` with ``start_date``, ``end_date``, ``offset`` and ``limit`` (100 by default, with
no maximum); rows by timestamp, userId and movieId in an envelope with ``result``, ``offset``, ``limit`` and ``total``.
The server turns a day into a moment by ``time.mktime``, so its days are those of its own time zone (``TZ``). A value
that it cannot parse is an error 500. Run it in a separate process:

    TZ=Asia/Seoul python tests/book_server.py ratings.csv --port 0
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import re
import subprocess
import sys
import time
from bisect import bisect_left
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TYPES = {"userId": int, "movieId": int, "rating": float, "timestamp": int}
USER = PASSWORD = "airflow"
PORT = 8081


@contextmanager
def serve_book(ratings, time_zone):
    """Run the server on a CSV file of ratings, with the clock of a time zone, and yield its port."""
    command = [sys.executable, __file__, str(ratings), "--port", "0"]
    environment = {**os.environ, "TZ": time_zone, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield int(re.fullmatch(r"Listening on port (\d+)\n", server.stdout.readline())[1])
        finally:
            server.terminate()


class Ratings:
    """All ratings in the API's order."""

    def __init__(self, file):
        with Path(file).open(newline="") as lines:
            rows = [{name: kind(row[name]) for name, kind in TYPES.items()} for row in csv.DictReader(lines)]
        self.rows = sorted(rows, key=lambda row: (row["timestamp"], row["userId"], row["movieId"]))
        self.timestamps = [row["timestamp"] for row in self.rows]

    def page(self, query):
        start, end = (moment(query.get(name)) for name in ("start_date", "end_date"))
        first = bisect_left(self.timestamps, start) if start else 0
        beyond = bisect_left(self.timestamps, end) if end else len(self.rows)
        window = self.rows[first:beyond]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        return {"result": window[offset : offset + limit], "offset": offset, "limit": limit, "total": len(window)}


def moment(day):
    """Return the Unix seconds at which a day begins on this process's clock."""
    return None if day is None else int(time.mktime(time.strptime(day, "%Y-%m-%d")))


class Handler(BaseHTTPRequestHandler):
    """Responds as the book's API does."""

    def do_GET(self):
        address = urlsplit(self.path)
        if address.path == "/":
            self._respond(200, b"A ratings API", "text/html")
        elif address.path != "/ratings":
            self._respond(404, b"Not Found", "text/html")
        elif self.headers.get("Authorization") != self.server.authorization:
            self._respond(401, b"Unauthorized Access", "text/html")
        else:
            self._ratings({name: values[0] for name, values in parse_qs(address.query).items()})

    def _ratings(self, query):
        try:
            page = self.server.ratings.page(query)
        except ValueError:
            self._respond(500, b"Internal Server Error", "text/html")
        else:
            self._respond(200, json.dumps(page, sort_keys=True).encode(), "application/json")

    def _respond(self, status, body, content_type):
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Authentication Required"')
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ratings", help="a CSV file with userId, movieId, rating and timestamp")
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    server.ratings = Ratings(arguments.ratings)
    server.authorization = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    print(f"Listening on port {server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
