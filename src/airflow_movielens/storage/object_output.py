"""A file on object storage as output."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, manifest_name
from airflow_movielens.client.fetch.workdirs import scratch_folder
from airflow_movielens.ratings.paths import output_text
from airflow_movielens.storage.object_parts import ObjectFolder
from airflow_movielens.storage.object_store import named_errors, object_at
from airflow_movielens.storage.s3 import S3Bucket
from airflow_movielens.storage.s3_output import Files, S3Folder, S3Publication

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from airflow_movielens.client.fetch.output import ManifestFile

log = logging.getLogger(__name__)


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
        target = object_at(self.path)
        bucket = S3Bucket.of(target)
        with scratch_folder() as local:
            if bucket is None:
                yield ObjectFolder(target, key, local)
                return
            with named_errors(self.path, "written"):
                folder = S3Folder(bucket, target, key, local)
            yield folder

    def publish(self, data: Path, quarantine: Path | None, manifest: ManifestFile) -> None:
        """Upload the files, each with a single put; see `Output`.

        Raises:
            RetryableError: On S3, another attempt publishes other files at the same time.
        """
        target = object_at(self.path)
        bucket = S3Bucket.of(target)
        if bucket is not None:
            with named_errors(self.path, "written"):
                S3Publication(bucket, target, Files(data, quarantine, manifest)).publish()
            return
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


def _remove(target: ObjectStoragePath) -> None:
    """Remove an object if it exists; a missing permission to delete is not an error."""
    try:
        if target.fs.exists(target.path):
            target.fs.rm_file(target.path)
    except FileNotFoundError:
        pass  # another attempt was faster
    except OSError as error:
        log.warning("%s cannot be removed: %s", target, error)
