"""The registries of models that the catalogue knows, and what is in one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.errors import PageError
from airflow_movielens.plugin.root_files import is_registry_of
from airflow_movielens.recommending.artefacts import read_header
from airflow_movielens.recommending.registry import Aliases, Event, ModelRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_movielens.plugin.source import Source
    from airflow_movielens.storage.catalogue import Kind, Record, TaskRun

_KINDS: tuple[Kind, ...] = ("training", "evaluation", "promotion", "recommendations")
_NOT_READ = "The registry {} is not in the data root, so this page does not read it."
_DECISIONS = ("promote", "refuse", "rollback")


@dataclass(frozen=True)
class Registries:
    """The registries that the records of a user's Dags name.

    Attributes:
        folders: Their folders, the one that was used last first.
        records: The records of trainings, evaluations, promotions and recommendations, by their kind.
        problems: What is damaged in the catalogue, and which registries are not read, in sentences.
    """

    folders: list[str]
    records: dict[Kind, list[Record]]
    problems: list[str]

    @classmethod
    def of(cls, source: Source) -> Registries:
        """Find the registries that the user of a request may see, and that the page reads."""
        found = {kind: source.records(kind) for kind in _KINDS}
        last_used: dict[str, str] = {}
        for each in found.values():
            for record in each.records:
                if (folder := _folder_of(record)) is not None:
                    last_used[folder] = max(record.at, last_used.get(folder, ""))
        folders = sorted(last_used, key=lambda folder: last_used[folder], reverse=True)
        read = [folder for folder in folders if is_registry_of(source.catalogue.root, folder)]
        return cls(
            read,
            {kind: each.records for kind, each in found.items()},
            [problem for each in found.values() for problem in each.problems]
            + [_NOT_READ.format(folder) for folder in folders if folder not in read],
        )

    def chosen(self, folder: str) -> str:
        """Return a registry, or the one that was used last if none is named. There must be one.

        Raises:
            PageError: No record that the user may see names this registry.
        """
        if not folder or folder in self.folders:
            return folder or self.folders[0]
        raise PageError(
            f"The catalogue has no registry {folder}.", f"Choose one of these: {', '.join(self.folders)}", 404
        )

    def of_folder(self, kind: Kind, folder: str) -> list[Record]:
        """Return the records of a kind that name a registry."""
        return [record for record in self.records[kind] if _folder_of(record) == folder]

    def failures(self, folder: str, kinds: Iterable[Kind] = _KINDS) -> list[Record]:
        """Return the last record of each kind that names a registry, if it is a failure."""
        last = (max(self.of_folder(kind, folder), key=lambda record: record.at, default=None) for kind in kinds)
        return [record for record in last if record is not None and not record.succeeded]


@dataclass(frozen=True)
class AliasedModel:
    """A model that an alias of a registry stands for.

    Attributes:
        alias: ``champion``, ``challenger`` or ``previous``.
        version: Its version.
        training: What its file says of its training; None if the file is missing or damaged.
        problem: What is wrong with its file, and what to do; None if nothing is.
        registration: The event that registered it; None if that cannot be read.
        decision: The last event that promoted, refused or restored it; None if there is none.
    """

    alias: str
    version: str
    training: Training | None
    problem: str | None
    registration: Event | None
    decision: Event | None


@dataclass(frozen=True)
class Training:
    """The training of a model, as its file describes it.

    Attributes:
        first_day: The UTC day of the first rating, ``YYYY-MM-DD``.
        last_day: The UTC day of the last rating.
        ratings: The number of ratings.
        users: The number of users.
        movies: The number of movies in the catalogue.
        parameters: The parameters.
        choice: How they were chosen, in words.
    """

    first_day: str
    last_day: str
    ratings: int
    users: int
    movies: int
    parameters: dict[str, Any]
    choice: str

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> Training:
        """Describe a training by the header of a model's file."""
        trained_on = header["trained_on"]
        choice = header["parameter_choice"]
        if choice is None:
            words = "Given to the training."
        elif choice["replaces_defaults"]:
            words = f"Chosen by these ratings: {choice['reason']} ({choice['users']:,} new users)."
        else:
            words = f"{choice['reason'][0].upper()}{choice['reason'][1:]}."
        return cls(
            first_day=_day(trained_on["first_timestamp"]),
            last_day=_day(trained_on["last_timestamp"]),
            ratings=trained_on["ratings"],
            users=trained_on["users"],
            movies=header["arrays"]["movies"]["shape"][0],
            parameters=header["parameters"],
            choice=words,
        )


@dataclass(frozen=True)
class RegistryState:
    """What can be read of a registry.

    Attributes:
        folder: Its folder.
        events: The events that can be read, the first one first.
        models: The models that aliases stand for: champion, challenger, previous.
        problems: What is wrong, and what to do, in sentences.
    """

    folder: str
    events: list[Event]
    models: list[AliasedModel]
    problems: list[str]

    @classmethod
    def read(cls, folder: str) -> RegistryState:
        """Read a registry; what is damaged is among the problems.

        Raises:
            OSError: The folder cannot be read.
        """
        registry = ModelRegistry(folder)
        if not Path(folder).is_dir():
            problem = (
                f"{folder} does not exist on the API server. If a model was registered, mount the folder here too, as "
                "on the workers, or restore it from a backup."
            )
            return cls(folder, [], [], [problem])
        events, damaged = registry.readable_history()
        problems = [f"{problem}." for problem in damaged]
        try:
            aliases = registry.aliases()
        except ValueError as error:
            aliases = Aliases()
            problems = list(dict.fromkeys([*problems, f"{error}."]))
            problems.append("The last event says which model is the champion, so this is not known.")
        versions = {alias: version for alias, version in asdict(aliases).items() if version is not None}
        models = [_model(registry, alias, version, events) for alias, version in versions.items()]
        return cls(folder, events, models, problems)


def task_of(event: Event, records: Iterable[Record]) -> TaskRun | None:
    """Return the task instance that caused an event; None if no task did, or the records do not have it."""
    for record in sorted(records, key=lambda record: record.at, reverse=True):
        task, facts = record.task, record.facts
        # A person may have decided in the task, who is then in the event.
        if (
            task
            and facts.get("version") == event.model
            and event.by in (f"{task.dag_id}.{task.task_id}", facts.get("by"))
        ):
            return task
    return None


def _folder_of(record: Record) -> str | None:
    """Return the folder of the registry that a record names."""
    folder = record.facts.get("registry")
    if folder is None and record.kind in ("training", "promotion"):
        return record.path
    return folder if isinstance(folder, str) else None


def _model(registry: ModelRegistry, alias: str, version: str, events: list[Event]) -> AliasedModel:
    own = [event for event in events if event.model == version]
    training, problem = None, None
    try:
        training = Training.of(read_header(registry.path_of(version)))
    except (LookupError, OSError, TypeError, ValueError) as error:
        problem = f"{error.args[0] if isinstance(error, LookupError) else error}."
    return AliasedModel(
        alias=alias,
        version=version,
        training=training,
        problem=problem,
        registration=next((event for event in own if event.action == "register"), None),
        decision=next((event for event in reversed(own) if event.action in _DECISIONS), None),
    )


def _day(timestamp: int) -> str:
    return str(datetime.fromtimestamp(timestamp, UTC).date())
