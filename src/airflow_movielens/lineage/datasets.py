"""The datasets that an operator read and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.assets import uri_of
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from airflow_movielens.client import Window
    from airflow_movielens.client.fetch.manifest import Manifest
    from airflow_movielens.ratings.schema import Table


@dataclass(frozen=True)
class Dataset:
    """A dataset that was read or written.

    Attributes:
        address: A path, the URL of a file, or the asset URI of an API's table.
        columns: The names and types of its columns.
        rows: How many rows were read or written; None if unknown.
        size: The size of the file in bytes.
        version: The name of the state of the data.
        source: The base URL of the API.
        window: The days that were read; None for all.
    """

    address: str
    columns: Mapping[str, str]
    rows: int | None = None
    size: int | None = None
    version: str | None = None
    source: str | None = None
    window: Window | None = None

    @property
    def identifier(self) -> tuple[str, str]:
        """The namespace and name by OpenLineage's naming rules, equal to those of Airflow's own converters."""
        local = local_path(self.address)
        if local is not None:
            return "file", str(local.absolute())
        scheme, _, rest = self.address.partition("://")
        place, _, name = rest.partition("/")
        # ObjectStoragePath allows the connection's id before the bucket.
        return f"{_SAME_STORE.get(scheme, scheme)}://{place.rpartition('@')[2]}", name


_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


def table_of_api(
    base_url: str,
    table: Table,
    rows: int | None = None,
    *,
    window: Window | None = None,
    version: str | None = None,
) -> Dataset:
    """Return the dataset of a table of an API."""
    # Not through an Asset, which rejects some addresses: a task must not fail because of its lineage.
    address = uri_of(base_url, table.name)
    return Dataset(address, columns_of(table.polars_schema()), rows, version=version, source=base_url, window=window)


def files_of_fetch(manifest: Manifest) -> list[Dataset]:
    """Return the datasets that a fetch wrote: the ratings, and the quarantined rows if there are any."""
    columns = columns_of(RATINGS.polars_schema())
    files = [Dataset(manifest.path, columns, manifest.rows, size=manifest.bytes, version=manifest.sha256)]
    if manifest.quarantine_path is not None:
        files.append(Dataset(manifest.quarantine_path, {}, manifest.quarantined))
    return files


def columns_of(schema: pl.Schema) -> dict[str, str]:
    """Return the names and types of columns, with types such as ``int32``, ``float32`` and ``string``."""
    return {name: str(dtype).lower() for name, dtype in schema.items()}
