"""What all services have in common."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from demo.configuration import base_environment
from demo.errors import DemoError
from demo.processes import Component, Guardian, SessionRecord, stop
from demo.watch import Interruption, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from signal import Signals

SECONDS_TO_START = 120
POLL_SECONDS = 0.1


class Service(Protocol):
    """A server in a folder of its own."""

    folder: Path
    port: int

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def stop_signals(self) -> Sequence[Signals]:
        """What ends it, one after the other."""

    def prepare(self) -> None:
        """Write what the server needs before it starts, unless an earlier start has done so."""

    @property
    def command(self) -> list[str]:
        """The program and its arguments."""

    def is_ready(self) -> bool:
        """Return whether it accepts requests."""

    def clean_up(self) -> None:
        """Remove the files that it leaves outside its folder, after it has ended."""


@contextmanager
def running(service: Service) -> Iterator[None]:
    """Run a service for as long as the block runs; if this process is killed, the service ends too."""
    service.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = SessionRecord(service.folder / "sessions", service.folder)
    record.end_leftovers()
    with Guardian(record):
        service.prepare()
        component = start(service, service.folder / "log")
        record.add(component.session)
        watch = Watch(Interruption(), SECONDS_TO_START, POLL_SECONDS)
        watch.components.append(component)
        try:
            watch.until(service.name, service.is_ready)
            yield
        finally:
            stop([component])
            service.clean_up()


def start(service: Service, log: Path) -> Component:
    """Start a service that is prepared."""
    environment = base_environment() | {"TMPDIR": str(service.folder)}
    return Component(service.name, service.command, environment, service.folder, log, stop_signals=service.stop_signals)


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    package = find_spec(name)
    if package is None or package.origin is None:
        raise DemoError(f"The package {name} is not installed.")
    return Path(package.origin).parent
