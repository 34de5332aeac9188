"""Ratings that never end, and a server process of them."""

from __future__ import annotations

import itertools
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from movielens_api import server
from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.datasets import synthetic
from movielens_api.formats import ROWS_PER_CHUNK
from movielens_api.middleware.request_limits import Limits
from movielens_api.server.acceptor import Server
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue
from movielens_api.table.ratings_table import RatingsTable

QUICK = Limits(finish_seconds=1, close_seconds=2)


class EndlessTable(RatingsTable):
    """Ratings whose chunks repeat for ever.

    Attributes:
        started: Released when the first chunk of somebody is read.
        ended: Released when nobody reads these chunks any more.
    """

    started = threading.Semaphore(0)
    ended = threading.Semaphore(0)

    @classmethod
    def catalogue(cls) -> Catalogue:
        """Return a catalogue of such ratings, which are more than fit into a chunk."""
        finite = synthetic.load(ROWS_PER_CHUNK + 1, seed=1)
        return Catalogue("endless", cls.of(finite.ratings._layer, finite.ratings.digest()), finite.movies)

    def chunks(self, first: int, after: int, size: int) -> Iterator[pl.DataFrame]:
        rows = self.rows(first, first + 1_000)
        self.started.release()
        try:
            for _ in itertools.count():
                time.sleep(0.01)  # leaves the processor to the other threads of the test
                yield rows
        finally:
            self.ended.release()


def request(port: int, media_type: str, path: str = "/ratings") -> socket.socket:
    """Request all ratings."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    login = "Authorization: Basic bW92aWVsZW5zOm1vdmllbGVucw=="
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{login}\r\nAccept: {media_type}\r\n\r\n".encode())
    return connection


def main(folder: Path, *, stuck: bool) -> None:
    """Serve endless ratings until SIGTERM, with a thread that never ends if `stuck`."""
    catalogue = EndlessTable.catalogue()
    if stuck:
        threading.Thread(target=threading.Event().wait).start()
    with Store(folder, catalogue) as store, server.bind("127.0.0.1", 0) as bound:
        server.listen(bound)
        print(f"Listening on {server.url(bound)}", flush=True)
        # uvicorn sends itself the signal again when it has stopped.
        signal.signal(signal.SIGTERM, lambda *_: None)
        app = create_app(catalogue, DEFAULT, store=store)
        Server(server.config(app, QUICK), QUICK).run(sockets=[bound])


if __name__ == "__main__":
    main(Path(sys.argv[1]), stuck=sys.argv[2] == "stuck")
