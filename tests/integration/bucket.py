"""Object storage simulated by a folder, which can refuse what its caller asks."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from airflow.sdk.io import attach
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem


class Bucket(DirFileSystem):
    """A file system in a folder. The first one that is attached stays, so tests change its folder.

    Attributes:
        refused: The errors that its methods raise, by name.
    """

    def __init__(self, path="/"):
        super().__init__(path, LocalFileSystem(auto_mkdir=True))
        self.refused = {}

    def open_at(self, folder):
        """Move to another folder, and allow everything."""
        self.path = str(folder)
        self.refused = {}

    def _refuse(self, method):
        if method in self.refused:
            raise self.refused[method]

    def isfile(self, path):
        self._refuse("isfile")
        return super().isfile(path)

    def isdir(self, path):
        self._refuse("isdir")
        return super().isdir(path)

    def exists(self, path, **options):
        self._refuse("exists")
        return super().exists(path, **options)

    def glob(self, path, **options):
        self._refuse("glob")
        return super().glob(path, **options)

    def cat_file(self, path, start=None, end=None, **options):
        self._refuse("cat_file")
        return super().cat_file(path, start, end, **options)

    def get_file(self, rpath, lpath, **options):
        self._refuse("get_file")
        return super().get_file(rpath, lpath, **options)

    def put_file(self, lpath, rpath, **options):
        self._refuse("put_file")
        return super().put_file(lpath, rpath, **options)

    def pipe_file(self, path, value, **options):
        self._refuse("pipe_file")
        return super().pipe_file(path, value, **options)

    def rm(self, path, *arguments, **options):
        self._refuse("rm")
        return super().rm(path, *arguments, **options)

    def rm_file(self, path):
        self._refuse("rm_file")
        return super().rm_file(path)


class AtomicBucket(Bucket):
    """A bucket whose objects appear whole, as on object storage.

    Attributes:
        before_put: Called with the path before an object appears.
    """

    def open_at(self, folder):
        super().open_at(folder)
        self.before_put = lambda _: None

    def pipe_file(self, path, value, **options):
        self.before_put(path)
        unfinished = f"{path}.{uuid4().hex}"
        super().pipe_file(unfinished, value, **options)
        Path(self._join(unfinished)).replace(self._join(path))


ATOMIC = AtomicBucket()
ATOMIC_URL = "s3a://bucket/data"


def atomic_bucket_at(folder):
    """Attach the bucket of `ATOMIC_URL` in a folder, and return the local folder of that URL."""
    ATOMIC.open_at(folder)
    attach(protocol="s3a", fs=ATOMIC)
    return folder / "bucket/data"
