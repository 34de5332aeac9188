"""The parts of a fetch on object storage."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME
from airflow_movielens.client.fetch.workdirs import NAMES_OF_PARTS
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.storage.object_store import named_errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import ObjectStoragePath

    from airflow_movielens.client.fetch import Checkpoints

log = logging.getLogger(__name__)


class ObjectCheckpoints:
    """The checkpoint in an object that a single put replaces; see `Checkpoints`.

    Args:
        target: The object.
        exists: Whether it exists; None if that is not known.
    """

    def __init__(self, target: ObjectStoragePath, *, exists: bool | None = None) -> None:
        self._target = target
        self._exists = exists

    def load(self) -> dict[str, Any] | None:
        """Return the values saved last."""
        if self._exists is False:
            return None
        try:
            values: dict[str, Any] | None = parse_json(self._target.fs.cat_file(self._target.path))
        except FileNotFoundError:
            return None
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Save ``values``; of two attempts at once, the last one wins."""
        with named_errors(str(self._target), "written"):
            self._target.fs.pipe_file(self._target.path, json.dumps(values).encode())
        self._exists = True

    def clear(self) -> None:
        """Clear the saved values, even if deletions are not permitted."""
        if self._may_exist():
            self._target.fs.pipe_file(self._target.path, b"null")

    def _may_exist(self) -> bool:
        if self._exists is not None:
            return self._exists
        try:
            return bool(self._target.fs.exists(self._target.path))
        except OSError:  # without permission to list
            return True


class ObjectFolder:
    """Parts of a window on object storage, with local copies to read; see `PartsFolder`.

    Pages are not saved early: Google Cloud Storage, for one, allows an object to be replaced once a second.

    Attempts never write objects of the same name, and read their own copies: no attempt can damage another one's data.

    Args:
        output: The object that the window becomes.
        key: Identifies the fetch: equal keys, equal fetches.
        local: An empty folder of this machine.
        has_checkpoint: Whether an attempt has left its checkpoint; None if that is not known.
    """

    saves_early = False

    def __init__(self, output: ObjectStoragePath, key: str, local: Path, *, has_checkpoint: bool | None = None) -> None:
        self.local = local
        self._output = output
        self._remote = output.parent / f".partial-{output.name}-{key}"
        self.checkpoints: Checkpoints = ObjectCheckpoints(self._remote / CHECKPOINT_NAME, exists=has_checkpoint)

    def save(self, name: str) -> None:
        """Upload a copy to object storage."""
        with named_errors(str(self._output), "written"):
            self._output.fs.put_file(str(self.local / name), (self._remote / name).path)

    def load(self, name: str) -> None:
        """Download a copy from object storage."""
        self._output.fs.get_file((self._remote / name).path, str(self.local / name))

    def discard(self, names: Collection[str]) -> None:
        """Keep the objects until the end: another attempt may resume from them, and each deletion is a request."""

    def clear(self) -> None:
        """Remove the files of all attempts to fetch this output; attempts that still run have local copies.

        Only names that a fetch writes are removed, and no symbolic link is followed.
        """
        fs, name = self._output.fs, self._output.name
        of_output = re.compile(rf"\.partial-{re.escape(name)}-[0-9a-f]{{16}}")
        try:
            for entry in fs.ls(self._output.parent.path, detail=True, refresh=True):
                if entry["type"] == "directory" and not entry.get("islink") and _has_name(entry, of_output):
                    _remove_parts(fs, entry["name"])
        except FileNotFoundError:
            pass  # another attempt was faster
        except OSError as error:
            log.warning("The '.partial-' folders beside %s cannot be removed: %s", self._output, error)


def _remove_parts(fs: Any, folder: str) -> None:
    entries = fs.ls(folder, detail=True, refresh=True)
    parts = [entry for entry in entries if entry["type"] != "directory" and _has_name(entry, NAMES_OF_PARTS)]
    for entry in parts:
        # Not fs.rm: it treats *, ? and [ in a path as a pattern, and removes everything that matches.
        fs.rm_file(entry["name"])
    # A bucket has no folders: they end with their last object.
    if len(parts) == len(entries) and fs.isdir(folder):
        fs.rmdir(folder)


def _has_name(entry: dict[str, Any], names: re.Pattern[str]) -> bool:
    """Return whether the last part of the path of a listed file or folder matches."""
    return names.fullmatch(PurePosixPath(entry["name"]).name) is not None
