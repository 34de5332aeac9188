"""A file on object storage as output of a fetch."""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME
from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, manifest_name
from airflow_movielens.client.fetch.workdirs import NAMES_OF_PARTS, scratch_folder
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.ratings.paths import output_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath

    from airflow_movielens.client.fetch import Checkpoints
    from airflow_movielens.client.fetch.output import ManifestFile

log = logging.getLogger(__name__)


_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl", "az", "wasb", "wasbs"), "apache-airflow-providers-microsoft-azure"),
}


def object_at(url: str) -> ObjectStoragePath:
    """Return the object at ``url`` with its file system.

    Raises:
        FatalError: No file system is installed for the scheme, or its connection cannot be used.
    """
    from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined] # 3.1 has it nowhere else
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io.fs import has_fs

    scheme = url.partition("://")[0]
    try:
        target = ObjectStoragePath(url)
        target.fs  # noqa: B018 - created at first use
    except AirflowNotFoundException as error:
        advice = "create it, or set AIRFLOW_CONN_ and its id in capitals in the environment"
        raise FatalError(f"{url} cannot be used: {error}: {advice}") from error
    except (ImportError, ValueError) as error:
        if isinstance(error, ValueError) and has_fs(scheme):
            raise FatalError(f"{url} cannot be used: {error}") from error
        package = _PACKAGES.get(scheme)
        advice = f"install {package}" if package else "install the Airflow provider that has one"
        raise FatalError(f"{url} needs a file system for {scheme}://: {advice} ({error})") from error
    return target


@contextmanager
def named_errors(url: str, verb: str) -> Iterator[None]:
    """Name the URL in errors of object storage, which often name only a key, or nothing.

    Args:
        url: The URL that is read, written or listed.
        verb: Which of these, as a participle.

    Raises:
        FileNotFoundError: The object or bucket does not exist.
        FatalError: Access is denied.
    """
    try:
        yield
    except FileNotFoundError:
        words = f"there is no file {url}, or no such bucket"
        raise FileNotFoundError(f"{url} cannot be written: no such bucket" if verb == "written" else words) from None
    except PermissionError as error:
        raise FatalError(f"{url} cannot be {verb}: {error}") from error


class ObjectCheckpoints:
    """The checkpoint in an object that a single put replaces; see `Checkpoints`.

    Args:
        target: The object.
    """

    def __init__(self, target: ObjectStoragePath) -> None:
        self._target = target

    def load(self) -> dict[str, Any] | None:
        """Return the values saved last."""
        try:
            values: dict[str, Any] | None = parse_json(self._target.fs.cat_file(self._target.path))
        except FileNotFoundError:
            return None
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Save ``values``; of two attempts at once, the last one wins."""
        with named_errors(str(self._target), "written"):
            self._target.fs.pipe_file(self._target.path, json.dumps(values).encode())

    def clear(self) -> None:
        """Clear the saved values, even if deletions are not permitted."""
        if self._may_exist():
            self._target.fs.pipe_file(self._target.path, b"null")

    def _may_exist(self) -> bool:
        try:
            return bool(self._target.fs.exists(self._target.path))
        except OSError:  # without permission to list
            return True


class ObjectFolder:
    """Parts of a window on object storage, with local copies to read; see `PartsFolder`.

    Attempts never write objects of the same name, and read their own copies: no attempt can damage another one's data.

    Args:
        output: The object that the window becomes.
        key: Identifies the fetch: equal keys, equal fetches.
        local: An empty folder of this machine.
    """

    def __init__(self, output: ObjectStoragePath, key: str, local: Path) -> None:
        self.local = local
        self._output = output
        self._remote = output.parent / f".partial-{output.name}-{key}"
        self.checkpoints: Checkpoints = ObjectCheckpoints(self._remote / CHECKPOINT_NAME)

    def save(self, name: str) -> None:
        """Upload a copy to object storage."""
        with named_errors(str(self._output), "written"):
            self._output.fs.put_file(str(self.local / name), (self._remote / name).path)

    def load(self, name: str) -> None:
        """Download a copy from object storage."""
        self._output.fs.get_file((self._remote / name).path, str(self.local / name))

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


class ObjectOutput:
    """An object as output of a fetch; see `Output`.

    Args:
        path: Its URL, as Airflow's ``ObjectStoragePath`` accepts it; its extension selects the format.

    Raises:
        ValueError: The path cannot be that of an output.
    """

    def __init__(self, path: str) -> None:
        self.path = self.address = output_text(path)
        self.name = self.path.rpartition("/")[2]

    @contextmanager
    def folder(self, key: str) -> Iterator[ObjectFolder]:
        """Yield a hidden folder beside the object."""
        with scratch_folder() as local:
            yield ObjectFolder(self._target(), key, local)

    def publish(self, data: Path, quarantine: Path | None, manifest: ManifestFile) -> None:
        """Upload the files, each with a single put; see `Output`."""
        target = self._target()
        manifest_object = target.parent / manifest_name(self.name)
        quarantine_object = target.parent / (self.name + QUARANTINE_ENDING)
        _remove(manifest_object)
        with named_errors(self.path, "written"):
            if quarantine is None:
                _remove(quarantine_object)
            else:
                target.fs.put_file(str(quarantine), quarantine_object.path)
            target.fs.put_file(str(data), target.path)
            target.fs.pipe_file(manifest_object.path, manifest.to_json().encode())

    def _target(self) -> ObjectStoragePath:
        return object_at(self.path)


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


def _remove(target: ObjectStoragePath) -> None:
    """Remove an object if it exists; a missing permission to delete is not an error."""
    try:
        if target.fs.exists(target.path):
            target.fs.rm_file(target.path)
    except FileNotFoundError:
        pass  # another attempt was faster
    except OSError as error:
        log.warning("%s cannot be removed: %s", target, error)
