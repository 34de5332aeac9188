"""The model that is served: the champion of a registry, replaced when another one becomes the champion."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from movielens_api.recommendations.artefacts import UnusableModelError, open_model
from movielens_api.recommendations.registry import UnusableRegistryError, champion_of, path_of, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from movielens_api.recommendations.model import Model

_SECONDS_BETWEEN_LOOKS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """What is served at a moment.

    Attributes:
        version: The version of the model; None without one.
        model: The model; None if there is no champion yet, or if the first one cannot be read.
        problem: Why the champion of the registry is not the model that is served; None if it is.
    """

    version: str | None = None
    model: Model | None = None
    problem: str | None = None


class Champion:
    """The champion of a registry. A thread looks once a second whether it is still the same.

    A model that cannot be read does not replace the one that is served.

    Args:
        folder: The folder of the registry, which need not exist yet.

    Attributes:
        served: What is served now. Requests take it once, so that each response is from one model.
    """

    def __init__(self, folder: Path) -> None:
        self.served = Served()
        self._folder = folder
        # The last file that could not be read, and why.
        self._refused: tuple[object, str] = (None, "")
        # Otherwise, a look that began earlier could bring back the champion before.
        self._looking = Lock()
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="champion", daemon=True)
        self.look()
        self._thread.start()

    def look(self) -> None:
        """Serve the champion of the registry if it can be read."""
        with self._looking:
            try:
                version = champion_of(self._folder)
                served = self.served if version == self.served.version else self._opened(version)
                self.served = replace(served, problem=None)
            except (UnusableRegistryError, UnusableModelError) as error:
                self._keep(str(error))

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(_SECONDS_BETWEEN_LOOKS):
            self.look()

    def _opened(self, version: str | None) -> Served:
        if version is None:
            return Served()
        path = path_of(self._folder, version)
        try:
            status = path.stat()
            file = (version, status.st_ino, status.st_size, status.st_mtime_ns)
            if file == self._refused[0]:
                raise UnusableModelError(self._refused[1])
            return self._checked(version, path, file)
        except OSError as error:
            raise UnusableModelError(f"{path.name} cannot be opened ({reason_of(error)})") from error

    def _checked(self, version: str, path: Path, file: object) -> Served:
        try:
            return Served(version, open_model(path))
        except UnusableModelError as error:
            self._refused = (file, str(error))
            raise

    def _keep(self, problem: str) -> None:
        if problem != self.served.problem:
            kept = f"{self.served.version} stays in service" if self.served.version else "no model is served"
            log.warning("the champion of %s is not served, and %s: %s", self._folder, kept, problem)
        self.served = replace(self.served, problem=problem)
