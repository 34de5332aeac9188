"""Where a fetched window goes, and where its parts lie until it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.client.fetch.manifest import Manifest


class PartsFolder(Protocol):
    """Where the parts of a window lie until all of it is there."""

    @property
    def local(self) -> Path:
        """A folder of this machine: files are written and read here."""

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the checkpoint lies, unless the caller has a better place."""

    def keep(self, name: str) -> None:
        """Make sure that a later attempt finds the finished file ``name`` of `local`."""

    def bring(self, name: str) -> None:
        """Bring a file that an earlier attempt kept to `local`.

        Raises:
            FileNotFoundError: It is no longer there.
        """

    def clear(self) -> None:
        """Remove all that this and earlier attempts kept: the window is published."""


class Output(Protocol):
    """Where a fetched window goes."""

    @property
    def path(self) -> str:
        """The file, as the user named it."""

    @property
    def address(self) -> str:
        """The file, named in full: two outputs are the same one if their addresses are equal."""

    @property
    def name(self) -> str:
        """The name of the file, without folders; its ending tells the format."""

    def folder(self, key: str) -> AbstractContextManager[PartsFolder]:
        """Give the folder of the fetch ``key``, with what earlier attempts kept there."""

    def publish(self, data: Path, quarantine: Path | None, manifest: Manifest) -> None:
        """Let the finished file ``data``, and what goes with it, appear under its name.

        What an earlier fetch published is replaced; at no moment does a manifest lie beside a file it does not mean.
        """
