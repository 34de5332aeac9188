"""Movies ranked by their ratings."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    import narwhals as nw
    import polars as pl
    from narwhals.typing import IntoFrameT

    from airflow_movielens.ratings.schema import Column


_YEARS = (1970, 9999)
_COLUMNS = ("userId", "movieId", "rating", "timestamp")

RankingMethod: TypeAlias = "Callable[[pl.LazyFrame, int], pl.LazyFrame]"
"""Ratings and ``min_ratings`` in, a ranking sorted by `RANKING_ORDER` out."""

RANKING_ORDER = {"avg_rating": True, "num_ratings": True, "movieId": False}
"""The columns by which a ranking is sorted, and whether each one is descending."""


def rank_movies_by_rating(ratings: IntoFrameT, min_ratings: int = 3) -> IntoFrameT:
    """Rank movies by their mean rating.

    If a user rated a movie more than once, only the latest rating counts (at the same second, the higher one).

    Args:
        ratings: A dataframe (pandas, Polars eager or lazy, PyArrow, DuckDB, …) with the columns userId, movieId,
            rating and timestamp; further ones are ignored.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.

    Returns:
        A dataframe of the same kind with movieId, avg_rating (float64) and num_ratings (int64, distinct users), ordered
        by avg_rating and num_ratings, both descending, then movieId ascending: equal input gives equal output.

    Raises:
        ValueError: ``min_ratings`` is below 1, a column is missing, or a value is missing or wrong.
    """
    import narwhals as nw

    _check_values(nw.from_native(_with_times_in_utc(ratings)))
    return rank_checked(ratings, min_ratings)


def rank_checked(ratings: IntoFrameT, min_ratings: int = 3) -> IntoFrameT:
    """Rank as `rank_movies_by_rating` does, without checking the values."""
    import narwhals as nw

    if isinstance(min_ratings, bool) or not isinstance(min_ratings, Integral) or min_ratings < 1:
        raise ValueError(f"min_ratings is {shown(min_ratings)}: give a whole number of at least 1")
    frame: nw.LazyFrame[Any] = nw.from_native(cast("Any", ratings))
    missing = [name for name in _COLUMNS if name not in frame.collect_schema().names()]
    if missing:
        raise ValueError(f"the ratings lack the columns {', '.join(missing)}")
    ranking = (
        frame.select(*_COLUMNS)
        .unique(["userId", "movieId"], keep="last", order_by=["timestamp", "rating"])
        .with_columns(nw.col("rating").cast(nw.Float64))
        .group_by("movieId")
        .agg(nw.col("rating").mean().alias("avg_rating"), nw.col("userId").count().alias("num_ratings"))
        .with_columns(nw.col("num_ratings").cast(nw.Int64))
        .filter(nw.col("num_ratings") >= min_ratings)
        .sort(*RANKING_ORDER, descending=list(RANKING_ORDER.values()))
    )
    return cast("IntoFrameT", nw.maybe_reset_index(ranking).to_native())


def _with_times_in_utc(ratings: Any) -> Any:
    """Convert times of pandas to UTC: narwhals does not support zones with ``_``, digits or signs in their names."""
    times = ratings.get("timestamp") if hasattr(ratings, "iloc") else None
    is_in_zone = getattr(getattr(times, "dtype", None), "tz", None) is not None
    return ratings.assign(timestamp=times.dt.tz_convert("UTC")) if times is not None and is_in_zone else ratings


def _check_values(frame: nw.LazyFrame[Any]) -> None:
    """Check the values that a ranking reads, as those of files are; a lazy dataframe is computed once for it."""
    import narwhals as nw

    if not frame.lazy().select(nw.len()).collect(backend="polars").item():
        return  # whatever its dtypes: pandas has none for empty columns
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
        return
    found = frame.lazy().select(*wrong).collect(backend="polars").row(0)
    for column, is_found in zip(columns, found, strict=True):
        if is_found:
            raise ValueError(f"the ratings have a {column.name} that is not {column.expects}")


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


def ranking_method(name: str) -> RankingMethod:
    """Return a ranking method by its name: ``mean`` is `rank_movies_by_rating`.

    Raises:
        ValueError: The method is unknown.
    """
    if not isinstance(name, str) or name not in _METHODS:
        raise ValueError(f"there is no ranking method {shown(name)}: use one of {', '.join(_METHODS)}")
    return _METHODS[name]


_METHODS: dict[str, RankingMethod] = {"mean": rank_checked}


def rank_large(
    ratings: pl.LazyFrame,
    min_ratings: int = 3,
    method: RankingMethod = rank_checked,
    *,
    rows_at_once: int = 2_000_000,
) -> pl.DataFrame:
    """Rank movies with memory bounded by the number of movies, not of ratings.

    A movie is ranked by all of its ratings and by no others, so movies are divided into parts. Each part is
    ranked alone, and the rankings are merged.

    Args:
        ratings: userId, movieId, rating and timestamp, preferably scanned from files; read once for each part.
        min_ratings: Movies rated by fewer distinct users are left out; at least 1.
        method: The ranking method; see `ranking_method`.
        rows_at_once: About how many ratings a part has.

    Returns:
        The ranking, as `rank_movies_by_rating` describes it.

    Raises:
        ValueError: ``min_ratings`` is below 1.
    """
    import polars as pl

    rows = ratings.select(pl.len()).collect(engine="streaming").item()
    parts = -(-rows // rows_at_once) or 1
    rankings = [
        method(ratings.filter(pl.col("movieId").mod(parts) == part), min_ratings).collect(engine="streaming")
        for part in range(parts)
    ]
    return pl.concat(rankings).sort(list(RANKING_ORDER), descending=list(RANKING_ORDER.values()))


def add_titles(ranking: pl.LazyFrame, movies: pl.LazyFrame) -> pl.LazyFrame:
    """Add the title after ``movieId``; the order of rows is preserved.

    Args:
        ranking: A dataframe whose first column is movieId.
        movies: A dataframe with movieId and title; if a movie has several rows, the first counts.

    Returns:
        ``ranking`` with title as its second column; null if ``movies`` has no title.
    """
    titles = movies.select("movieId", "title").unique("movieId", keep="first", maintain_order=True)
    titled = ranking.join(titles, on="movieId", how="left", maintain_order="left")
    return titled.select("movieId", "title", *ranking.collect_schema().names()[1:])
