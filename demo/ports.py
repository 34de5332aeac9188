"""Free ports on the loopback interface."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


def choose_port(preferred: int | None, claims: contextlib.ExitStack) -> int:
    """Return the preferred port or, if it is taken or none is, a free one; ``claims`` reserves it among stacks."""
    for port in _candidates(preferred):
        if _is_free(port) and _claim(port, claims):
            return port
    raise AssertionError("the operating system always has a free port")


def _candidates(preferred: int | None) -> Iterator[int]:
    if preferred is not None:
        yield preferred
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        yield port


def _is_free(port: int) -> bool:
    """Return whether nothing listens on the port; one that lingers after a previous run counts as free."""
    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _claim(port: int, claims: contextlib.ExitStack) -> bool:
    """Keep another stack from choosing the port before ours listens on it.

    The kernel drops the name of an abstract socket with the process. On systems without them, a clash is unlikely.
    """
    claim = socket.socket(socket.AF_UNIX)
    claims.callback(claim.close)
    try:
        claim.bind(f"\0airflow-movielens-port-{port}")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
