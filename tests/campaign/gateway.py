"""A gateway that leaves headers out, so that the client pages by links or by offsets.

Below ``/links``, responses lack the link of sections; below ``/offsets``, all links and the name of the snapshot.
"""

from __future__ import annotations

import threading
from contextlib import closing
from http.client import HTTPException, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import cast

from tests.campaign.api import Api, connect

HIDDEN = {"links": {"link-template"}, "offsets": {"link-template", "link", "snapshot"}}
_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "date", "keep-alive"}
_BAD_GATEWAY = 502


class Gateway(ThreadingHTTPServer):
    """An HTTP server without TLS in front of the server under test.

    Args:
        port: The port to listen on.
        api: The server under test.
        bad_port: Where it is reached through the bad network, with each fourth request.
    """

    daemon_threads = allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, api: Api, bad_port: int) -> None:
        self.api = api
        self.targets = cycle([bad_port, api.port, api.port, api.port])
        super().__init__(("127.0.0.1", port), _Connection)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop to listen."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep silent about clients that were killed."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        gateway = cast("Gateway", self.server)
        _, kind, path = self.path.split("/", 2)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        try:
            with closing(connect(next(gateway.targets), gateway.api.trust)) as connection:
                connection.request("GET", f"/{path}", headers=sent)
                response = connection.getresponse()
                status, headers, body = response.status, response.getheaders(), response.read()
                if not {"content-length", "transfer-encoding"} & {name.lower() for name, _ in headers}:
                    # Python takes the end of a connection for the end of the headers.
                    raise IncompleteRead(body)
        except (OSError, HTTPException):
            status, headers, body = _BAD_GATEWAY, [], b"the server is not reachable"
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HIDDEN[kind] | _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the base class
        """Log nothing."""
