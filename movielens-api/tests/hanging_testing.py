"""A server process with routes that hang: one in a thread, one in the event loop."""

from __future__ import annotations

import threading
import time

from movielens_api import server
from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.datasets import synthetic
from movielens_api.middleware.request_limits import Limits
from movielens_api.server import hangs
from movielens_api.server.acceptor import Server

LIMITS = Limits(slow_seconds=1.5)


def main() -> None:
    """Serve until the process is killed."""
    app = create_app(synthetic.load(10, seed=1), DEFAULT)

    @app.get("/thread")
    def hang_in_a_thread() -> None:
        print("hanging", flush=True)
        threading.Event().wait()

    @app.get("/loop")
    async def block_the_event_loop() -> None:
        time.sleep(2.5)

    hangs.show_on_signal()
    with server.bind("127.0.0.1", 0) as bound:
        server.listen(bound)
        print(f"Listening on {server.url(bound)}", flush=True)
        Server(server.config(app, LIMITS), LIMITS).run(sockets=[bound])


if __name__ == "__main__":
    main()
