"""The HTTP server: uvicorn on a socket, until it is stopped.

- ``connection``: a connection with limits on size and time, which sends head and body of a response in one packet.
- ``framing``: where a request ends, and how many may wait on a connection.
- ``acceptor``: how connections are accepted, also by several processes, and an orderly shutdown.
- ``admission``: which connections are closed or refused when there are too many.
- ``shutdown``: ends a process whose shutdown takes too long.
- ``hangs``: shows where a process hangs.
- ``workers``: several server processes, as the first process sees them.
- ``worker``: one of them.
- ``tls``: certificate and key.
"""

from __future__ import annotations

import os
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from movielens_api.errors import StartupError
from movielens_api.middleware.request_limits import LIMITS, Limits
from movielens_api.server.acceptor import Server
from movielens_api.server.connection import Connection
from movielens_api.system.signals import hangup

if TYPE_CHECKING:
    import ssl

    from starlette.types import ASGIApp

# uvicorn's variable for trusted proxies.
_PROXIES = "FORWARDED_ALLOW_IPS"


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket. Clients can connect once it is passed to ``listen``.

    Args:
        host: An address or name of this computer.
        port: The port; 0 picks a free one.

    Raises:
        StartupError: The port is in use or not allowed, or the host is not an address of this computer.
    """
    if not host:
        raise StartupError("the host is empty: pass an address of this computer, or 0.0.0.0 for all of them")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if os.name == "posix":
            # After a restart, connections of the previous server may still be closing.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _taken(host, port, error) from error
    except (TypeError, ValueError) as error:  # an impossible name, such as one with a NUL
        bound.close()
        raise StartupError(f"{host!r} is not a valid address or host name") from error
    return bound


def listen(bound: socket.socket) -> None:
    """Start to listen, so that clients can connect.

    Raises:
        StartupError: Another process bound the same address at the same time.
    """
    try:
        bound.listen()
    except OSError as error:
        host, port = bound.getsockname()[:2]
        raise _taken(host, port, error) from error


def _taken(host: str, port: int, error: OSError) -> StartupError:
    return StartupError(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def url(bound: socket.socket, *, tls: bool = False) -> str:
    """Return the URL of the server."""
    host, port = bound.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def config(
    app: ASGIApp, limits: Limits, tls: ssl.SSLContext | None = None, connection: type[Connection] = Connection
) -> uvicorn.Config:
    """Return the configuration of uvicorn."""
    return uvicorn.Config(
        app,
        http=cast("Any", partial(connection, limits)),
        ws="none",
        workers=1,  # otherwise uvicorn reads WEB_CONCURRENCY; our own workers are processes that run this
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.finish_seconds,
        proxy_headers=_PROXIES in os.environ,
        server_header=False,
        access_log=False,
        log_config=None,
    )


def run(
    app: ASGIApp,
    bound: socket.socket,
    tls: ssl.SSLContext | None = None,
    kind: type[Server] = Server,
    connection: type[Connection] = Connection,
) -> None:
    """Serve until SIGTERM, SIGHUP or SIGINT, then finish the requests in flight. A second SIGINT stops it at once.

    If the shutdown takes longer than the limits allow, the process ends with status 1.

    Args:
        app: The application to serve.
        bound: The socket to listen on.
        tls: The TLS context, if any.
        kind: The class of the server, which decides how connections are accepted.
        connection: The class of connections.
    """
    running = kind(config(app, LIMITS, tls, connection), LIMITS)

    def stop(*_: object) -> None:
        running.should_exit = True

    # uvicorn handles SIGTERM and SIGINT while it runs. For these, this handler is for the moments before and after.
    for number in (signal.SIGTERM, signal.SIGINT, *hangup()):
        signal.signal(number, stop)
    running.run(sockets=[bound])
