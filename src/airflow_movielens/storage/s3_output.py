"""A file on S3 as output: conditional writes keep the file and its manifest of one attempt.

An attempt first claims the manifest: it replaces the one that it found by a claim. Then it replaces the file, if it is
still the one that it found before the claim, and at last the claim by the manifest, if the claim is still its own. Who
finds another state gives way.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_movielens.client.errors import RetryableError
from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME
from airflow_movielens.client.fetch.output import QUARANTINE_ENDING, manifest_name
from airflow_movielens.client.fetch.workdirs import NAMES_OF_PARTS
from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.storage.object_parts import ObjectFolder
from airflow_movielens.storage.s3 import ConflictError, Metadata, is_denied

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from airflow_movielens.client.fetch.output import ManifestFile
    from airflow_movielens.storage.s3 import ObjectState, S3Bucket

log = logging.getLogger(__name__)

UNFINISHED = "unfinished_since"
"""What a claim has, and no manifest: when the attempt began to write."""
FACTS = ("sha256", "rows", "start_date", "end_date")
"""The facts of a manifest that lie in the metadata of the file, so that it is read with one request."""
_CLAIM = "claim-"
"""How the writes of claims begin."""
_TRIES = 4
_SAME = ("sha256", "start_date", "end_date", "quarantined")
"""The facts that are equal if two attempts have written the same."""


class S3Folder(ObjectFolder):
    """Parts of a window in a bucket; see `ObjectFolder`. One listing tells what earlier attempts have left.

    Pages are saved early.

    Args:
        bucket: The bucket.
        output: The object that the window becomes.
        key: Identifies the fetch: equal keys, equal fetches.
        local: An empty folder of this machine.

    Raises:
        FileNotFoundError: There is no such bucket.
        PermissionError: The credentials are wrong.
    """

    saves_early = True

    def __init__(self, bucket: S3Bucket, output: ObjectStoragePath, key: str, local: Path) -> None:
        self._bucket = bucket
        self._prefix = bucket.key_of(output.parent / f".partial-{output.name}-")
        self._part = re.compile(rf"{re.escape(self._prefix)}[0-9a-f]{{16}}/({NAMES_OF_PARTS.pattern})", re.DOTALL)
        try:
            found = self._parts()
        except PermissionError as error:
            # A bucket that may only be read and written is used without it.
            if not is_denied(error):
                raise
            found = None
        checkpoint = f"{self._prefix}{key}/{CHECKPOINT_NAME}"
        super().__init__(output, key, local, has_checkpoint=None if found is None else checkpoint in found)
        self._has_parts = found is None or bool(found)

    def save(self, name: str) -> None:
        """Upload a copy to the bucket."""
        self._has_parts = True
        super().save(name)

    def clear(self) -> None:
        """Remove the files of all attempts to fetch this output; see `ObjectFolder.clear`."""
        if not self._has_parts:
            return
        try:
            self._bucket.delete_all(self._parts())
        except OSError as error:
            log.warning("The '.partial-' folders beside %s cannot be removed: %s", self._output, error)

    def _parts(self) -> set[str]:
        """Return the keys of the parts of all fetches of this output."""
        return {key for key in self._bucket.objects(self._prefix) if self._part.fullmatch(key)}


@dataclass(frozen=True)
class Files:
    """What an attempt publishes.

    Attributes:
        data: The finished file.
        quarantine: The file of its quarantined rows; None if there are none.
        manifest: Its manifest.
    """

    data: Path
    quarantine: Path | None
    manifest: ManifestFile


class S3Publication:
    """The files of an attempt in a bucket.

    Args:
        bucket: The bucket.
        output: The object that the file becomes.
        files: The files.
    """

    def __init__(self, bucket: S3Bucket, output: ObjectStoragePath, files: Files) -> None:
        self._bucket = bucket
        self._url = str(output)
        self._key = bucket.key_of(output)
        self._quarantine_key = self._key + QUARANTINE_ENDING
        self._manifest_key = bucket.key_of(output.parent / manifest_name(output.name))
        self._files = files
        self._manifest: dict[str, Any] = json.loads(files.manifest.to_json())
        self._attempt = uuid4().hex

    def publish(self) -> None:
        """Publish the files, unless another attempt does so meanwhile.

        Raises:
            RetryableError: Another attempt publishes other files.
        """
        for number in range(_TRIES):
            try:
                self._replace(number)
            except ConflictError:
                if not self._is_left_to_us():
                    break
            else:
                return
        self._give_way()

    def _replace(self, number: int) -> None:
        bucket, files, write = self._bucket, self._files, f"{self._attempt}-{number}"
        before = bucket.state(self._manifest_key)
        found = self._found()
        claim = bucket.put(self._manifest_key, self._claim(), before, Metadata(f"{_CLAIM}{write}"))
        if _is_claim(before):
            bucket.abort_uploads(self._key)
        if files.quarantine is not None:
            bucket.upload(self._quarantine_key, files.quarantine, found.get(self._quarantine_key))
        bucket.upload(self._key, files.data, found.get(self._key), Metadata(write, self._facts()))
        if files.quarantine is None and self._quarantine_key in found:
            self._remove(self._quarantine_key, found[self._quarantine_key])
        bucket.put(self._manifest_key, files.manifest.to_json().encode(), claim)

    def _found(self) -> dict[str, ObjectState]:
        """Return the states of the objects that are replaced."""
        try:
            return self._bucket.objects(self._key)
        except PermissionError:
            states = {key: self._bucket.state(key) for key in (self._key, self._quarantine_key)}
            return {key: state for key, state in states.items() if state is not None}

    def _claim(self) -> bytes:
        """Return what lies in place of the manifest until the file is complete: no reader takes it for a manifest."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        # Equal claims would have equal ETags.
        claim = {UNFINISHED: since, "attempt": self._attempt, "task": self._manifest.get("task")}
        return json.dumps(claim).encode()

    def _facts(self) -> str:
        facts = {name: self._manifest[name] for name in FACTS if name in self._manifest}
        return json.dumps(facts, separators=(",", ":"))

    def _remove(self, key: str, state: ObjectState) -> None:
        try:
            self._bucket.delete(key, state)
        except OSError as error:
            log.warning("s3://%s/%s cannot be removed: %s", self._bucket.name, key, error)

    def _is_left_to_us(self) -> bool:
        """Return whether no other attempt is going to make file and manifest fit each other.

        It is so while the claim is our own: then an attempt that gives way has written the file. It is also so if the
        file is our own, and the manifest that of an attempt that has ended: ETags depend only on the content, so an
        attempt whose file has the content of the file before may be overwritten by a late one.
        """
        manifest, data = (self._bucket.state(key) for key in (self._manifest_key, self._key))
        is_ours = [state is not None and self._attempt in (state.write or "") for state in (manifest, data)]
        return is_ours[0] or (is_ours[1] and not _is_claim(manifest))

    def _give_way(self) -> None:
        ours = self._manifest
        try:
            theirs = parse_json(self._bucket.read(self._manifest_key))
        except (FileNotFoundError, ValueError):
            theirs = {}
        if "sha256" in theirs and all(theirs.get(fact) == ours.get(fact) for fact in _SAME):
            log.info("Another attempt has written the same rows to %s meanwhile", self._url)
            return
        raise RetryableError(
            f"{self._url} is not replaced, because another attempt has written it, or is doing so, at the same time: "
            "what that attempt writes is kept. Run only one attempt at a time, and try again if its rows are outdated"
        )


def _is_claim(state: ObjectState | None) -> bool:
    return state is not None and (state.write or "").startswith(_CLAIM)
