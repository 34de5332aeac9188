"""nginx with one static page per workload: the maximum of machine, loopback and load generator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api import tools
from benchmarks.servers import Server, free_port

CONFIGURATION = """
{user}
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    open_file_cache max=10;
    default_type application/json;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/pages; }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """One file per workload; no password, no log.

    Attributes:
        pages: The bytes of each workload's response.
        workers: The number of processes.
    """

    pages: Mapping[str, bytes]
    workers: int
    name: str = "nginx"

    def start(self, folder: Path) -> Server:
        """Write the pages and start nginx."""
        home, port = folder / "nginx", free_port()
        (home / "pages").mkdir(parents=True)
        for name, page in self.pages.items():
            (home / "pages" / name).write_bytes(page)
        # Started by root, nginx would change to a user who may not read this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        written = CONFIGURATION.format(folder=home, port=port, workers=self.workers, user=user)
        (home / "nginx.conf").write_text(written, encoding="utf-8")
        command = [tools.path("nginx"), "-p", str(home), "-e", "stderr", "-c", str(home / "nginx.conf")]
        return Server(self.name, port, command, folder / "nginx.log")
