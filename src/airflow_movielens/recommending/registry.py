"""A folder with versions of models, and which of them is served; see docs/model-format.md."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import file_digest
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.atomic_files import create_whole, move_into_place, partial_file
from airflow_movielens.ratings.locks import one_at_a_time
from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.own_folders import refuse_foreign_link
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.recommending.artefacts import load_model, read_header, write_model
from airflow_movielens.recommending.events import Aliases, Event, event_file, last_number, read_event
from airflow_movielens.recommending.model import Model, TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike
    from pathlib import Path

    from airflow_movielens.recommending.events import Action

__all__ = ["Aliases", "Event", "ModelRegistry"]

_DIGITS = 8


class ModelRegistry:
    """Versions of models in a folder, with an append-only history of which one is served.

    A registered model is the challenger. Once promoted, it is the champion, and the champion before it is the previous
    one. A rollback exchanges these two. An action that changes nothing adds no event, so that tasks can be retried.

    Args:
        folder: A local folder, shared by all workers. It is created when the first model is registered.

    Raises:
        ValueError: It is a URL, or no path.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        path = local_path(folder)
        if path is None:
            raise ValueError(f"the registry {folder} is a URL: give a local folder that all workers share")
        self.folder: Path = path
        self._history = path / "history"
        self._models = path / "models"

    def register(self, model: Model | str | PathLike[str], *, by: str, reason: str) -> str:
        """Add a model, which becomes the challenger; the champion does not become the challenger again.

        Args:
            model: The model, or the path of a file that `Model.save` wrote.
            by: Who registers it.
            reason: Why.

        Returns:
            The version; a model that is registered already keeps its version.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file holds no model, is damaged, or was written in a newer format; or an event is damaged.
            OSError: A folder cannot be written, or another user has planted a symbolic link in its place.
        """
        for folder in (self._history, self._models):
            refuse_foreign_link(folder)
        self._history.mkdir(parents=True, exist_ok=True)
        with partial_file(self._models / "model.npz") as partial:
            _write(model, partial)
            digest = _digest(partial)

            def registered(aliases: Aliases) -> tuple[str, Aliases]:
                version = self._kept(partial, digest)
                is_known = version in (aliases.champion, aliases.challenger)
                return version, aliases if is_known else replace(aliases, challenger=version)

            return self._append("register", registered, by, reason)

    def promote(self, model: str, *, by: str, reason: str, figures: Mapping[str, Any] | None = None) -> None:
        """Make a model the champion.

        Args:
            model: Its version, or an alias. After a promotion, "challenger" may be another model or none, so tasks that
                can be retried give the version.
            by: Who promotes it.
            reason: Why.
            figures: The figures that it was decided by.

        Raises:
            LookupError: There is no such model.
            ValueError: A figure is not finite, ``by`` or ``reason`` is empty, or an event is damaged.
        """

        def promoted(aliases: Aliases) -> tuple[str, Aliases]:
            version = self._found(model, aliases)
            if version == aliases.champion:
                return version, aliases
            return version, Aliases(version, _without(version, aliases.challenger), aliases.champion)

        self._append("promote", promoted, by, reason, figures)

    def refuse(self, model: str, *, by: str, reason: str, figures: Mapping[str, Any] | None = None) -> None:
        """Record that a model was not promoted; the arguments and errors are those of `promote`."""
        self._append("refuse", lambda aliases: (self._found(model, aliases), aliases), by, reason, figures)

    def rollback(self, *, by: str, reason: str) -> None:
        """Make the previous champion the champion again, and the champion the previous one.

        Raises:
            LookupError: There is no previous champion.
            ValueError: ``by`` or ``reason`` is empty, or an event is damaged.
        """

        def rolled_back(aliases: Aliases) -> tuple[str, Aliases]:
            version = self._found("previous", aliases)
            return version, Aliases(version, _without(version, aliases.challenger), aliases.champion)

        self._append("rollback", rolled_back, by, reason)

    def aliases(self) -> Aliases:
        """Return the versions that are the champion, the challenger and the previous champion.

        Raises:
            ValueError: The last event is damaged, or is from a newer version.
        """
        last = self._last_event()
        return Aliases() if last is None else last.aliases

    def path_of(self, model: str) -> Path:
        """Return the path of a model's file.

        Args:
            model: "champion", "challenger", "previous", or a version.

        Raises:
            LookupError: There is no such model.
            ValueError: An event is damaged, or is from a newer version.
        """
        return self._path(self._found(model, self.aliases()))

    def champion_training(self) -> TrainingData | None:
        """Return what the champion was trained on; None without a champion.

        Raises:
            LookupError: The champion's file is missing.
            ValueError: An event or the file is damaged, or is from a newer version.
        """
        if self.aliases().champion is None:
            return None
        return TrainingData(**read_header(self.path_of("champion"))["trained_on"])

    def history(self) -> list[Event]:
        """Return all events, the first one first.

        Raises:
            ValueError: An event is missing, damaged, or from a newer version.
        """
        return [read_event(self._history, number) for number in range(1, last_number(self._history) + 1)]

    def readable_history(self) -> tuple[list[Event], list[str]]:
        """Return the events that can be read, the first one first, and what is wrong with the others, in sentences."""
        events, problems = [], []
        for number in range(1, last_number(self._history) + 1):
            try:
                events.append(read_event(self._history, number))
            except (OSError, ValueError) as error:
                problems.append(str(error))
        return events, problems

    def models(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the version and the header of each model, in the order in which they were registered.

        The header is empty if the file is missing or damaged.

        Raises:
            ValueError: An event is missing, damaged, or from a newer version.
        """
        return [(version, self._header(version)) for version in self._versions()]

    def _versions(self) -> list[str]:
        return list(dict.fromkeys(event.model for event in self.history() if event.action == "register"))

    def _header(self, version: str) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return read_header(self._path(version))
        return {}

    def _path(self, version: str) -> Path:
        return self._models / f"{version}.npz"

    def _found(self, model: str, aliases: Aliases) -> str:
        """Return the version of a model, whose file exists.

        Raises:
            LookupError: There is no such model.
        """
        versions = asdict(aliases)
        version = versions.get(model, model)
        if version is None:
            raise LookupError(f"the registry {self.folder} has no {model}: see `movielens models list`")
        if version not in (*versions.values(), *self._versions()):
            known = "a version, champion, challenger or previous"
            raise LookupError(f"the registry {self.folder} has no model {shown(model)}: give {known}")
        if not self._path(version).is_file():
            raise LookupError(f"{self._path(version)} is missing: restore it from a backup, or choose another model")
        return str(version)

    def _kept(self, partial: Path, digest: str) -> str:
        """Give a model's file its place, unless it is there already, and return its version."""
        start = digest[:_DIGITS]
        for path in self._models.glob(f"*Z-{start}.npz"):
            if _digest(path) == digest:
                return path.stem
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{start}"
        move_into_place(partial, self._path(version))
        return version

    def _last_event(self) -> Event | None:
        number = last_number(self._history)
        return read_event(self._history, number) if number else None

    def _append(
        self,
        action: Action,
        decide: Callable[[Aliases], tuple[str, Aliases]],
        by: str,
        reason: str,
        figures: Mapping[str, Any] | None = None,
    ) -> str:
        """Add an event, unless it changes nothing.

        Args:
            action: What is done.
            decide: Returns the model and the aliases after the event, from those before it.
            by: Who does it.
            reason: Why.
            figures: The figures that it was decided by.

        Returns:
            The model.
        """
        if not by.strip() or not reason.strip():
            raise ValueError(f"{action} without a reason or a person: say who does it, and why")
        if not self._history.is_dir():
            raise LookupError(f"the registry {self.folder} has no models: register one first")
        refuse_foreign_link(self._history)
        # The lock saves retries. Where the file system has no locks, creating the file decides.
        with one_at_a_time(self._history):
            while True:
                last = self._last_event()
                before = Aliases() if last is None else last.aliases
                model, after = decide(before)
                is_repeated = last is not None and (last.action, last.model) == (action, model)
                if after == before and (action != "refuse" or is_repeated):
                    return model
                number = 1 if last is None else last.number + 1
                at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
                event = Event(number, at, action, model, by, reason, dict(figures or {}), **asdict(after))
                with suppress(FileExistsError):
                    create_whole(event_file(self._history, number), event.to_json().encode())
                    return model


def _write(model: Model | str | PathLike[str], path: Path) -> None:
    """Write a model to a file, or copy its file once it has been checked."""
    if isinstance(model, Model):
        write_model(model, path)
        return
    source = local_path(model)
    if source is None:
        raise ValueError(f"{model} is a URL: give the path of a local file")
    load_model(source)
    shutil.copyfile(source, path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _without(version: str, challenger: str | None) -> str | None:
    return None if challenger == version else challenger
