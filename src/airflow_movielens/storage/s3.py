"""The requests to S3 for which fsspec has no method: conditional writes, and uploads that leave nothing behind.

Each method says how many requests it makes. Errors are those of s3fs: ``PermissionError``, ``FileNotFoundError``, …
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath
    from fsspec.callbacks import Callback

log = logging.getLogger(__name__)

PART_BYTES = 8 * 2**20
"""The size of the parts of a multipart upload."""
SINGLE_PUT_BYTES = 4 * PART_BYTES
"""Files of at most this size are uploaded by a single request."""
_MOST_PARTS = 10_000
_THREADS = 4
_DELETED_AT_ONCE = 1_000
AT_ONCE_BYTES = 50 * 2**20
"""Objects of at most this size are copied by a single request."""
_CHUNK_BYTES = 2**20
_WRITE, _FACTS = "movielens-write", "movielens-facts"
"""The names of metadata."""

_CONDITIONS = ("IfMatch", "IfNoneMatch")
_NOT_MET = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_NOT_SUPPORTED = {"NotImplemented", "501"}


class ConflictError(Exception):
    """An object is not in the state that a write expects: another process has written or deleted it meanwhile."""


@dataclass(frozen=True)
class ObjectState:
    """The state of an object.

    Attributes:
        etag: Its ETag.
        write: The identifier of the write that it comes from; None if it is not known.
    """

    etag: str
    write: str | None = None


@dataclass(frozen=True)
class Metadata:
    """What is written with an object.

    Attributes:
        write: An identifier of the write, which no other has; None to make one.
        facts: Facts about the object, ASCII text of at most 1,000 characters; None for none.
    """

    write: str | None = None
    facts: str | None = None

    def values(self) -> dict[str, str]:
        """Return the metadata as S3 takes it."""
        return {_WRITE: self.write or uuid4().hex} | ({} if self.facts is None else {_FACTS: self.facts})


NO_METADATA = Metadata()


class S3Bucket:
    """A bucket.

    Args:
        fs: The file system of s3fs.
        name: The name of the bucket.
    """

    def __init__(self, fs: Any, name: str) -> None:
        self.name = name
        self._fs = fs

    @classmethod
    def of(cls, target: ObjectStoragePath) -> S3Bucket | None:
        """Return the bucket of an object; None if its file system is not that of s3fs."""
        # A file system that a user attaches to the scheme may be another one.
        return cls(target.fs, target.fs.split_path(target.path)[0]) if hasattr(target.fs, "call_s3") else None

    def key_of(self, target: ObjectStoragePath) -> str:
        """Return the key of an object."""
        key: str = self._fs.split_path(target.path)[1]
        return key

    def objects(self, prefix: str) -> dict[str, ObjectState]:
        """Return the objects whose keys begin with ``prefix``: one request for each 1,000."""
        found: dict[str, ObjectState] = {}
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=prefix, **more)
            found |= {entry["Key"]: ObjectState(entry["ETag"]) for entry in page.get("Contents", [])}
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def state(self, key: str) -> ObjectState | None:
        """Return the state of an object, None if there is none: one request."""
        try:
            head = self._call("head_object", Key=key)
        except (FileNotFoundError, PermissionError):
            # Those who may not list the bucket are denied access to a missing object.
            return None
        return ObjectState(head["ETag"], head.get("Metadata", {}).get(_WRITE))

    def read(self, key: str) -> bytes:
        """Return the content of a small object, which is not empty: one request."""
        # Without a range, s3fs would ask for the size first.
        content: bytes = self._fs.cat_file(f"{self.name}/{key}", start=0)
        return content

    def download(self, key: str, file: Path, progress: Callback) -> str | None:
        """Copy an object into a file: one request, and several if it is large or a response is cut off.

        Args:
            key: Its key.
            file: The file to write.
            progress: Told the size, then how much is copied; an exception ends the copy.

        Returns:
            The facts that were written with the object; see `put`.
        """
        from botocore.exceptions import IncompleteReadError
        from fsspec.asyn import sync
        from s3fs.core import S3_RETRYABLE_ERRORS

        answer = self._call("get_object", Key=key)
        facts: str | None = answer.get("Metadata", {}).get(_FACTS)
        body = answer["Body"]
        try:
            if answer["ContentLength"] <= AT_ONCE_BYTES:
                progress.set_size(answer["ContentLength"])
                with file.open("wb") as copy:
                    while chunk := sync(self._fs.loop, body.read, _CHUNK_BYTES):
                        copy.write(chunk)
                return facts
        except (*S3_RETRYABLE_ERRORS, IncompleteReadError) as error:
            log.info("s3://%s/%s is read again: %s", self.name, key, error)
        finally:
            sync(self._fs.loop, _close, body)
        # By default, s3fs holds 500 MB of a large object in memory.
        self._fs.get_file(
            f"{self.name}/{key}", str(file), callback=progress, chunksize=PART_BYTES, max_concurrency=_THREADS
        )
        return facts

    def put(
        self, key: str, content: bytes, replaces: ObjectState | None, metadata: Metadata = NO_METADATA
    ) -> ObjectState:
        """Write a small object: one request.

        Args:
            key: Its key.
            content: Its content.
            replaces: The state of the object that it replaces; None if there must be none.
            metadata: What is written with it.

        Returns:
            The state of the written object.

        Raises:
            ConflictError: The object has another state.
        """
        values = metadata.values()
        return self._write("put_object", key, replaces, values[_WRITE], Body=content, Metadata=values, **_type_of(key))

    def upload(
        self, key: str, file: Path, replaces: ObjectState | None, metadata: Metadata = NO_METADATA
    ) -> ObjectState:
        """Write a file as an object: one request, or two and one for each `PART_BYTES` of a large file.

        Arguments, result and errors are those of `put`.
        """
        if file.stat().st_size <= SINGLE_PUT_BYTES:
            return self.put(key, file.read_bytes(), replaces, metadata)
        values = metadata.values()
        upload = self._call("create_multipart_upload", Key=key, Metadata=values, **_type_of(key))["UploadId"]
        try:
            parts = {"Parts": self._upload_parts(key, upload, file)}
            completion = "complete_multipart_upload"
            return self._write(completion, key, replaces, values[_WRITE], UploadId=upload, MultipartUpload=parts)
        except BaseException:
            self._abort(key, upload)
            raise

    def delete(self, key: str, state: ObjectState) -> None:
        """Delete an object if it is still in this state: one request.

        Raises:
            ConflictError: It has another state.
        """
        with suppress(FileNotFoundError):  # another attempt was faster
            self._conditional("delete_object", Key=key, IfMatch=state.etag)

    def delete_all(self, keys: Iterable[str]) -> None:
        """Delete objects: one request for each 1,000, or one for each object if the store cannot delete several.

        Raises:
            OSError: An object cannot be deleted.
        """
        left = sorted(keys)
        while left:
            batch, left = left[:_DELETED_AT_ONCE], left[_DELETED_AT_ONCE:]
            try:
                answer = self._call(
                    "delete_objects", Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )
                failed = [error["Key"] for error in answer.get("Errors", [])]
            except OSError as error:
                log.info("%s cannot delete several objects with one request: %s", self.name, error)
                failed = batch
            for key in failed:
                self._call("delete_object", Key=key)

    def abort_uploads(self, key: str) -> None:
        """Abort the multipart uploads to a key, which killed processes left behind: one request, and one for each."""
        for upload in self._call("list_multipart_uploads", Prefix=key).get("Uploads", []):
            if upload["Key"] == key:
                self._abort(key, upload["UploadId"])

    def _upload_parts(self, key: str, upload: str, file: Path) -> list[dict[str, Any]]:
        size = file.stat().st_size
        at_once = max(PART_BYTES, ceil(size / _MOST_PARTS))

        def send(number: int) -> dict[str, Any]:
            with file.open("rb") as source:
                source.seek((number - 1) * at_once)
                body = source.read(at_once)
            part = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body)
            return {"PartNumber": number, "ETag": part["ETag"]}

        threads = ThreadPoolExecutor(_THREADS)
        try:
            return list(threads.map(send, range(1, ceil(size / at_once) + 1)))
        finally:
            threads.shutdown(cancel_futures=True)

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._call("abort_multipart_upload", Key=key, UploadId=upload)
        except ConflictError:
            pass  # complete, or aborted by another attempt
        except OSError as error:
            log.warning("An unfinished upload to s3://%s/%s cannot be aborted: %s", self.name, key, error)

    def _write(self, method: str, key: str, replaces: ObjectState | None, write: str, **request: Any) -> ObjectState:
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces.etag}
        try:
            answer = self._conditional(method, Key=key, **condition, **request)
            return ObjectState(answer["ETag"], write)
        except ConflictError:
            # The response to a request that succeeded may have been lost, and the request repeated.
            found = self.state(key)
            if found is None or found.write != write:
                raise
            return found
        finally:
            self._fs.invalidate_cache(f"{self.name}/{key}")

    def _conditional(self, method: str, **request: Any) -> dict[str, Any]:
        try:
            return self._call(method, **request)
        except OSError as error:
            code = _code(error)
            if code in _NOT_MET or (code == "NoSuchKey" and "IfMatch" in request):
                raise ConflictError(str(error)) from error
            if code not in _NOT_SUPPORTED:
                raise
            log.info("The store of %s has no conditional writes: %s", self.name, error)
        return self._call(method, **{name: value for name, value in request.items() if name not in _CONDITIONS})

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._fs.call_s3(method, Bucket=self.name, **request)
        except FileNotFoundError as error:
            if _code(error) == "NoSuchUpload":  # another attempt has aborted it
                raise ConflictError(str(error)) from error
            raise
        return answer


async def _close(body: Any) -> None:
    body.close()  # in the thread of its event loop


def _type_of(key: str) -> dict[str, str]:
    """Return the media type of a file, as an argument of a request; none if it is not known."""
    kind, compression = guess_type(key)
    return {"ContentType": kind} if kind and not compression else {}


def _code(error: OSError) -> str:
    """Return S3's code of an error, such as ``NoSuchKey``; an empty string if it is of something else."""
    answer = getattr(error.__cause__, "response", {})
    return str(answer.get("Error", {}).get("Code", ""))


def is_denied(error: OSError) -> bool:
    """Return whether S3 knows who asks, but does not permit the request."""
    return _code(error) in ("AccessDenied", "AllAccessDisabled", "403")
