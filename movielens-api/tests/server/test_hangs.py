"""A process that hangs shows where."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import hanging_testing
import requests
from api_testing import url_of
from leaving_testing import LOGIN


def test_a_process_shows_where_its_event_loop_and_its_threads_hang() -> None:
    command = [sys.executable, hanging_testing.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = url_of(process)
            address = urlsplit(url)
            assert requests.get(url + "/loop", auth=("movielens", "movielens"), timeout=30).ok
            with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
                connection.sendall(b"GET /thread HTTP/1.1\r\nHost: localhost\r\n" + LOGIN + b"\r\n")
                assert process.stdout is not None
                assert process.stdout.readline() == "hanging\n"
                process.send_signal(signal.SIGUSR1)
                assert requests.get(url + "/healthz", timeout=30).ok
        finally:
            process.kill()
            _, errors = process.communicate()
    blocked, _, shown = errors.partition("in hang_in_a_thread")
    assert "Timeout (0:00:01.500000)!" in blocked
    assert blocked.count("in block_the_event_loop") == 1
    assert shown
