"""Records of what lies in a data root: manifests, registries of models, and evaluations."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.fetch.output import manifest_name
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.paths import local_path, path_text
from airflow_movielens.recommending.evaluation.result import FILE_NAME, Evaluation
from airflow_movielens.recommending.model import TrainingData
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue.folder import THREADS
from airflow_movielens.storage.catalogue.records import Record, TaskRun, facts_of, utc_second
from airflow_movielens.storage.object_store import named_errors, object_at
from airflow_movielens.storage.s3_output import UNFINISHED
from airflow_movielens.storage.train import model_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_movielens.recommending.events import Event
    from airflow_movielens.storage.catalogue.records import Kind

log = logging.getLogger(__name__)

_KINDS: dict[str, Kind] = {"fetched_at": "fetch", "ranked_at": "ranking", "recommended_at": "recommendations"}
"""The kinds of manifests by the field with their time."""


def records_in(root: str) -> Iterator[Record]:
    """Yield a record for each manifest, event of a registry, and evaluation in a data root.

    A file that cannot be read as one of these is logged and left out, and so are hidden folders.

    Raises:
        OSError: The root cannot be read.
        FatalError: Access is denied.
    """
    local = local_path(root)
    if local is None:
        yield from _records_of_objects(path_text(root).rstrip("/"))
        return
    folders = list(_folders(local.absolute()))
    registries = [ModelRegistry(folder) for folder, subfolders, _ in folders if {"history", "models"} <= subfolders]
    registry_of: dict[str, str] = {}
    for registry in registries:
        for record in _logged(_records_of_registry, registry):
            registry_of[record.facts["version"]] = record.path
            yield record
    for folder, _, names in folders:
        for name in sorted(names):
            if manifest_name(name) in names:
                address = str(folder / name)
                yield from _logged(
                    _records_of_manifest, address, (folder / manifest_name(name)).read_bytes, registry_of
                )
            elif name == FILE_NAME:
                yield from _logged(_records_of_evaluation, folder / name, registry_of)


def _folders(root: Path) -> Iterator[tuple[Path, set[str], set[str]]]:
    """Yield each folder that is not hidden, with the names of its folders and files."""
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    for path, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(path), set(folders), set(files)


def _records_of_objects(root: str) -> Iterator[Record]:
    target = object_at(root)
    target.fs.invalidate_cache(target.path)
    with named_errors(root, "listed"):
        found = set(target.fs.find(target.path))
    start = target.path.rstrip("/") + "/"
    manifests = {path: f"{path.rpartition('/')[0]}/{manifest_name(path.rpartition('/')[2])}" for path in sorted(found)}
    with ThreadPoolExecutor(THREADS) as threads:
        reads = {
            path: threads.submit(target.fs.cat_file, manifest)
            for path, manifest in manifests.items()
            if manifest in found
        }
        for path, content in reads.items():
            yield from _logged(_records_of_manifest, f"{root}/{path.removeprefix(start)}", content.result, {})


def _logged(read: Callable[..., Iterator[Record]], *arguments: Any) -> Iterator[Record]:
    """Yield the records of a file, or log why it cannot be read."""
    try:
        yield from read(*arguments)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        log.warning("Left out of the catalogue: %s", error)


def _records_of_manifest(address: str, read: Callable[[], bytes], registry_of: Mapping[str, str]) -> Iterator[Record]:
    try:
        manifest = parse_json(read())
        if UNFINISHED in manifest:
            raise ValueError("a task is writing the file, or was killed while it did")
        kind, time = next((kind, manifest[name]) for name, kind in _KINDS.items() if name in manifest)
        task = manifest.get("task") and TaskRun(**manifest["task"])
        facts = facts_of(manifest)
        if kind == "recommendations":
            facts["registry"] = registry_of.get(facts["model"])
        record = _success(kind, utc_second(datetime.fromisoformat(time)), address, facts, task)
    except (StopIteration, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{address} has a manifest that cannot be read: {error!r}") from error
    yield record


def _success(kind: Kind, at: str, path: str, facts: dict[str, Any], task: TaskRun | None = None) -> Record:
    """Return a record.

    Raises:
        ValueError: A fact has a value that it cannot have.
    """
    # Files may hold anything, but operators write only right facts.
    return Record.from_dict(Record(kind, at, path, succeeded=True, error=None, task=task, facts=facts).to_dict())


def _records_of_registry(registry: ModelRegistry) -> Iterator[Record]:
    folder = str(registry.folder)
    headers = dict(registry.models())
    for event in registry.history():
        if event.action == "register":
            facts = _training(registry, event.model, headers[event.model])
            yield _success("training", event.at, folder, {**facts, "registry": folder})
        elif event.action in ("promote", "refuse"):
            yield _success("promotion", event.at, folder, {**_promotion(event), "registry": folder})


def _training(registry: ModelRegistry, version: str, header: dict[str, Any]) -> dict[str, Any]:
    """Return what `MovielensTrainOperator` returns; only the version if the model's file is missing or damaged."""
    if not header:
        return {"version": version}
    movies = header["arrays"]["movies"]["shape"][0]
    facts = model_facts(header["parameters"], movies, TrainingData(**header["trained_on"]))
    return {"version": version, "path": str(registry.path_of(version)), **facts}


def _promotion(event: Event) -> dict[str, Any]:
    """Return what `MovielensPromoteOperator` returns; the history does not tell undecided from refused."""
    is_promoted = event.action == "promote"
    return {
        "version": event.model,
        "champion": event.previous if is_promoted else event.champion,
        "outcome": "accepted" if is_promoted else "refused",
        "reason": event.reason,
        "figures": event.figures,
        "is_promoted": is_promoted,
        "by": event.by,
    }


def _records_of_evaluation(file: Path, registry_of: Mapping[str, str]) -> Iterator[Record]:
    evaluation = Evaluation.load(file)
    facts = evaluation.summary(file.parent)
    at = utc_second(datetime.fromisoformat(evaluation.made_at))
    registry = registry_of.get(facts.get("challenger") or "")
    yield _success("evaluation", at, str(file), {**facts, "registry": registry})
