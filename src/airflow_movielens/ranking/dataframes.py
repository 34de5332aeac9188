"""Dataframes of callers: what goes in is checked, and a ranking comes out in the same kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import narwhals as nw
    import polars as pl

    from airflow_movielens.ratings.schema import Column

_YEARS = (1970, 9999)
_PLAIN = {"Boolean": "bool"}


def checked_ratings(ratings: Any) -> nw.LazyFrame[Any]:
    """Return the ratings of a dataframe, checked, with timestamps as whole Unix seconds.

    Args:
        ratings: A dataframe of pandas, Polars (eager or lazy), PyArrow, DuckDB, PySpark, or another kind that Narwhals
            supports, with userId, movieId, rating and timestamp.

    Raises:
        TypeError: It is no such dataframe.
        ValueError: A column is missing, or a value is missing or wrong.
    """
    import narwhals as nw

    frame: Any = nw.from_native(with_times_in_utc(ratings))
    check_columns(frame)
    if not check_values(frame):
        # Without rows, columns of pandas may have any dtype.
        return nw.from_native(RATINGS.empty().lazy())
    lazy: nw.LazyFrame[Any] = frame.lazy().select(*RATINGS.column_names)
    if isinstance(lazy.collect_schema()["timestamp"], nw.Datetime):
        lazy = lazy.with_columns(nw.col("timestamp").dt.timestamp("ms") // 1000)
    return lazy.with_columns(nw.col("timestamp").cast(nw.Int64))


def as_polars(frame: Any, columns: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Return columns of a small dataframe of any kind as one of Polars.

    Args:
        frame: The dataframe.
        columns: The dtypes of the columns to take, if they are there.

    Raises:
        TypeError: It is no dataframe.
        ValueError: A column has other values.
    """
    import narwhals as nw
    import polars as pl

    given: Any = nw.from_native(frame)
    rows = given.select([name for name in given.collect_schema().names() if name in columns]).lazy().collect()
    # pandas has NaN where text is missing.
    values = {name: [None if _is_nan(value) else value for value in rows[name].to_list()] for name in rows.columns}
    try:
        return pl.DataFrame(
            {name: pl.Series(name, column, strict=False).cast(columns[name]) for name, column in values.items()}
        )
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"a column has values of another kind: {str(error).partition(chr(10))[0]}") from error


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def collected(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Compute a lazy dataframe of any engine, out of core if it is Polars."""
    polars: pl.DataFrame
    if frame.implementation.is_polars():
        polars = frame.collect(backend="polars", engine="streaming").to_native()
    else:
        polars = frame.collect(backend="polars").to_native()
    return polars


def in_kind_of(ranking: pl.DataFrame, ratings: Any) -> Any:
    """Return a ranking as the kind of dataframe that the ratings are: of Polars, pandas, PyArrow, DuckDB or PySpark.

    A ranking for DuckDB belongs to its default connection, and one for PySpark to the session of the ratings.

    Raises:
        ValueError: The kind is none of these.
    """
    import narwhals as nw

    frame: Any = nw.from_native(ratings)
    kind = frame.implementation
    if kind.is_polars():
        return ranking.lazy() if isinstance(frame, nw.LazyFrame) else ranking
    if kind.is_pandas():
        return _in_pandas(ranking)
    if kind.is_pyarrow():
        return ranking.to_arrow()
    if kind.is_duckdb():
        import duckdb

        return duckdb.from_arrow(ranking.to_arrow())
    if kind.is_pyspark() or kind.is_pyspark_connect():
        return ratings.sparkSession.createDataFrame(ranking.to_arrow())
    raise ValueError(f"a ranking cannot be returned as a dataframe of {kind}: convert the ratings to Polars first")


def _in_pandas(ranking: pl.DataFrame) -> Any:
    import pandas as pd
    import polars as pl

    def column(values: pl.Series) -> Any:
        # Both name dtypes alike. The capitalised ones of pandas have missing values.
        name = str(values.dtype) if values.dtype.is_numeric() or values.dtype == pl.Boolean else "object"
        return pd.Series(values.to_list(), dtype=name if values.null_count() else _PLAIN.get(name, name.lower()))

    return pd.DataFrame({name: column(ranking[name]) for name in ranking.columns})


def with_times_in_utc(ratings: Any) -> Any:
    """Convert times of pandas to UTC, and those of Spark to seconds.

    Narwhals does not support zones with ``_``, digits or signs in their names, and Spark shows times in the zone of its
    session.
    """
    if hasattr(ratings, "sparkSession"):
        return _with_seconds(ratings)
    times = ratings.get("timestamp") if hasattr(ratings, "iloc") else None
    is_in_zone = getattr(getattr(times, "dtype", None), "tz", None) is not None
    return ratings.assign(timestamp=times.dt.tz_convert("UTC")) if times is not None and is_in_zone else ratings


def _with_seconds(ratings: Any) -> Any:
    """Return ratings of Spark with seconds for times; null, which is refused, for times between two seconds."""
    from pyspark.sql import functions as sf

    dtype = dict(ratings.dtypes).get("timestamp")
    if dtype not in ("timestamp", "timestamp_ntz"):
        return ratings
    time = sf.col("timestamp")
    # Times without a zone are in UTC.
    without_zone = (
        sf.unix_date(sf.to_date(time)) * 86_400 + sf.hour(time) * 3600 + sf.minute(time) * 60 + sf.second(time)
    )
    seconds, is_exact = {
        "timestamp": (sf.unix_seconds(time), sf.unix_micros(time) % 1_000_000 == 0),
        "timestamp_ntz": (without_zone, sf.extract(sf.lit("second"), time) == sf.second(time)),
    }[dtype]
    return ratings.withColumn("timestamp", sf.when(is_exact, seconds))


def check_columns(frame: nw.LazyFrame[Any]) -> None:
    """Check that no column of ratings is missing.

    Raises:
        ValueError: A column is missing.
    """
    found = frame.collect_schema().names()
    if missing := [name for name in RATINGS.column_names if name not in found]:
        raise ValueError(f"the ratings lack the columns {', '.join(missing)}")


def check_values(frame: nw.LazyFrame[Any]) -> bool:
    """Check the values that a ranking reads, as those of files are; a lazy dataframe is computed once for it.

    Returns:
        Whether there are rows; without rows, dtypes are not checked.

    Raises:
        ValueError: A value is missing or wrong.
    """
    import narwhals as nw

    if not frame.lazy().select(nw.len()).collect(backend="polars").item():
        return False
    schema = frame.collect_schema()
    columns = [column for column in RATINGS.columns if column.name in schema]
    for column in columns:
        dtype = schema[column.name]
        is_number = dtype.is_integer() or (float in column.types and dtype.is_float())
        if not is_number and not (column.name == "timestamp" and isinstance(dtype, nw.Datetime)):
            raise ValueError(f"the ratings have a column {column.name} of {dtype}, expected {column.expects}")
    # DuckDB shows times in the zone of its connection, and does not convert them.
    has_zones = not frame.implementation.is_duckdb()
    wrong = [_is_wrong(column, schema[column.name], has_zones=has_zones).any().alias(column.name) for column in columns]
    if not wrong:
        return True
    found = frame.lazy().select(*wrong).collect(backend="polars").row(0)
    for column, is_found in zip(columns, found, strict=True):
        if is_found:
            raise ValueError(f"the ratings have a {column.name} that is not {column.expects}")
    return True


def _is_wrong(column: Column, dtype: nw.dtypes.DType, *, has_zones: bool) -> nw.Expr:
    import narwhals as nw

    values = nw.col(column.name)
    if column.values is not None:
        return ~values.cast(nw.Float64).is_in(sorted(column.values)) | values.is_null()
    if isinstance(dtype, nw.Datetime):
        in_utc = values.dt.convert_time_zone("UTC") if dtype.time_zone is not None and has_zones else values
        is_exact = in_utc.dt.year().is_between(*_YEARS) & (in_utc.dt.nanosecond() == 0)
        return ~is_exact | values.is_null()
    if column.limits is None:
        return values.is_null()
    return ~values.is_between(*column.limits) | values.is_null()
