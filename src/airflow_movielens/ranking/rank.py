"""Movies ranked by their ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from airflow_movielens.ranking.dataframes import (
    as_polars,
    check_columns,
    check_values,
    checked_ratings,
    in_kind_of,
    with_times_in_utc,
)
from airflow_movielens.ranking.methods import ranking_method
from airflow_movielens.ranking.movie_statistics import decay_of, movie_statistics, movie_statistics_of_files
from airflow_movielens.ranking.options import RankingOptions, check_files, check_min_ratings
from airflow_movielens.ratings.schema import MOVIES, RATINGS, Column, Table

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl
    from narwhals.typing import IntoFrameT

    from airflow_movielens.ranking.movie_statistics import Decay, MovieStatistics

_MEAN_ORDER = {"avg_rating": True, "num_ratings": True, "movieId": False}
_ORDER = {"score": True, "num_ratings": True, "movieId": False}
"""The columns by which a ranking is sorted, and whether each one is descending."""
_DECIMALS = 6
_TEXT = frozenset({str})

RANKINGS = Table(
    "rankings",
    (
        Column("genre", "String", "text", _TEXT),
        Column("rank", "Int64", "a whole number of at least 1", frozenset({int}), limits=(1, 2**63 - 1)),
        next(column for column in RATINGS.columns if column.name == "movieId"),
    ),
    key=("genre", "rank"),
)
"""What is read of earlier rankings."""


def rank_movies(
    ratings: IntoFrameT,
    method: str = "trending",
    *,
    min_ratings: int | None = None,
    by: Literal["genre"] | None = None,
    movies: Any = None,
    compare_to: Any = None,
    as_of: int | None = None,
    unique: bool = False,
    **parameters: float | None,
) -> IntoFrameT:
    """Rank movies by a statistic of their ratings.

    If a user rated a movie more than once, only the latest rating counts (at the same second, the higher one). The
    engine of the dataframe adds up the ratings of each movie; the rest is computed here, so every engine gives the
    same ranking.

    Args:
        ratings: A dataframe (pandas, Polars eager or lazy, PyArrow, DuckDB, PySpark) with the columns userId, movieId,
            rating (0.5 to 5.0 stars) and timestamp (Unix seconds or times); further ones are ignored.
        method: ``mean``, ``bayesian``, ``wilson``, ``imdb``, ``popular`` or ``trending``.
        min_ratings: Movies rated by fewer distinct users are left out; None for 3 with ``mean`` and 1 otherwise.
        by: ``"genre"`` to rank the movies of each genre; None to rank all movies.
        movies: A dataframe of movieId, title, year and genres (``Action|Comedy``); None to rank without titles.
        compare_to: An earlier ranking of the same kind, with movieId and rank (and genre); None for no comparison.
        as_of: A Unix second (UTC): later ratings do not count, and the age of likes is taken then; None for the last
            rating.
        unique: Whether the caller knows that no user rated a movie twice, which saves most of the time and memory.
        **parameters: ``k`` of ``bayesian`` (100), ``confidence`` of ``wilson`` (0.95), ``m`` of ``imdb`` (the number
            of ratings that 99 % of movies do not exceed), ``half_life`` of ``trending`` in days (by the density of
            likes).

    Returns:
        A dataframe of the same kind, best first: genre (with ``by="genre"``), rank (from 1, int64), movieId; title,
        year, genres (with ``movies``); score (float64, rounded to 6 decimals) and num_ratings (int64, distinct users);
        the method's own columns: avg_rating (``bayesian``, ``imdb``), like_share (``wilson``, ``popular``),
        upper_bound (``wilson``), num_likes (``trending``); with ``compare_to``, previous_rank and rank_change (int64,
        positive for a rise; null if new) and is_new. Equal scores are ordered by num_ratings, descending, then
        movieId.

    Raises:
        ValueError: An argument is not one of those allowed, a column is missing, or a value is missing or wrong.
    """
    options = RankingOptions(method, min_ratings, by, as_of, unique, parameters)
    known = None if movies is None else as_polars(movies, MOVIES.polars_schema())
    _check_genres(options, known)
    statistics = statistics_of(checked_ratings(ratings), options)
    earlier = None if compare_to is None else as_polars(compare_to, RANKINGS.polars_schema())
    return cast("IntoFrameT", in_kind_of(ranking_of(statistics, options, known, earlier), ratings))


def statistics_of(ratings: nw.LazyFrame[Any], options: RankingOptions) -> MovieStatistics:
    """Return the statistics that a ranking needs, computed by the engine that holds the ratings."""
    counted, decay = _until(ratings, options)
    return movie_statistics(counted, ranking_method(options.method).sums, decay, unique=options.unique)


def _until(ratings: nw.LazyFrame[Any], options: RankingOptions) -> tuple[nw.LazyFrame[Any], Decay | None]:
    """Return the ratings until ``as_of``, and the decay of likes if the method needs one."""
    import narwhals as nw

    if options.as_of is not None:
        ratings = ratings.filter(nw.col("timestamp") <= options.as_of)
    if "decayed_likes" not in ranking_method(options.method).sums:
        return ratings, None
    return ratings, decay_of(ratings, options.as_of, options.parameters.get("half_life"))


def ranking_of(
    statistics: MovieStatistics,
    options: RankingOptions,
    movies: pl.DataFrame | None = None,
    compare_to: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the ranking, with the columns that `rank_movies` describes."""
    import polars as pl

    own = ranking_method(options.method).columns(statistics, options.parameters)
    scored = statistics.movies.with_columns(score=own["score"].cast(pl.Float64).round(_DECIMALS)).with_columns(
        **{name: column for name, column in own.items() if name != "score"}
    )
    scored = scored.filter(pl.col("num_ratings") >= options.min_ratings)
    groups, facts = [], []
    if movies is not None:
        facts = [name for name in ("title", "year", "genres") if name in movies.columns]
        scored = scored.join(movies.select("movieId", *facts).unique("movieId", keep="first", maintain_order=True),
                             on="movieId", how="left")  # fmt: skip
    if options.by == "genre":
        groups = ["genre"]
        scored = scored.with_columns(genre=pl.col("genres").str.split("|")).explode("genre").drop_nulls("genre")
    ordered = scored.sort([*groups, *_ORDER], descending=[*(False for _ in groups), *_ORDER.values()])
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    ranked = ordered.with_columns(rank=rank.over(groups) if groups else rank)
    further = [name for name in own if name != "score"]
    ranking = ranked.select(*groups, "rank", "movieId", *facts, "score", "num_ratings", *further)
    return ranking if compare_to is None else with_movement(ranking, compare_to)


def with_movement(ranking: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Add previous_rank, rank_change and is_new by an earlier ranking.

    Raises:
        ValueError: The earlier ranking lacks a column.
    """
    import polars as pl

    keys = ["genre", "movieId"] if "genre" in ranking.columns else ["movieId"]
    if missing := [name for name in (*keys, "rank") if name not in earlier.columns]:
        raise ValueError(f"the ranking to compare to lacks the columns {', '.join(missing)}")
    before = earlier.select(
        *(pl.col(name).cast(ranking.schema[name]) for name in keys), previous_rank=pl.col("rank").cast(pl.Int64)
    )
    joined = ranking.join(before.unique(keys), on=keys, how="left", maintain_order="left")
    return joined.with_columns(
        rank_change=pl.col("previous_rank") - pl.col("rank"), is_new=pl.col("previous_rank").is_null()
    )


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

    check_values(nw.from_native(with_times_in_utc(ratings)))
    check_min_ratings(min_ratings)
    frame: nw.LazyFrame[Any] = nw.from_native(cast("Any", ratings))
    check_columns(frame)
    ranking = (
        frame.select(*RATINGS.column_names)
        .unique(["userId", "movieId"], keep="last", order_by=["timestamp", "rating"])
        .with_columns(nw.col("rating").cast(nw.Float64))
        .group_by("movieId")
        .agg(nw.col("rating").mean().alias("avg_rating"), nw.col("userId").count().alias("num_ratings"))
        .with_columns(nw.col("num_ratings").cast(nw.Int64))
        .filter(nw.col("num_ratings") >= min_ratings)
        .sort(*_MEAN_ORDER, descending=list(_MEAN_ORDER.values()))
    )
    return cast("IntoFrameT", nw.maybe_reset_index(ranking).to_native())


def rank_large(
    ratings: pl.LazyFrame,
    options: RankingOptions,
    movies: pl.DataFrame | None = None,
    compare_to: pl.DataFrame | None = None,
    *,
    rows_at_once: int = 16_000_000,
) -> pl.DataFrame:
    """Rank movies with memory bounded by the number of movies, not of ratings.

    Args:
        ratings: userId, movieId, rating and timestamp (Unix seconds), checked, preferably scanned from files; read
            several times unless they are unique.
        options: How to rank.
        movies: movieId, title, year and genres; None to rank without titles.
        compare_to: An earlier ranking; None for no comparison.
        rows_at_once: About how many ratings are held in memory, in 8 bytes each, to find those that do not count.

    Returns:
        The ranking, as `rank_movies` describes it; with the method ``mean``, as `rank_movies_by_rating` describes it,
        with title after movieId if there are ``movies``.

    Raises:
        ValueError: Genres are unknown, or ``compare_to`` lacks a column.
    """
    import narwhals as nw

    check_files(options, has_movies=movies is not None, has_earlier=compare_to is not None)
    _check_genres(options, movies)
    counted, decay = _until(nw.from_native(ratings), options)
    sums = ranking_method(options.method).sums
    statistics = movie_statistics_of_files(
        nw.to_native(counted), sums, decay, unique=options.unique, rows_at_once=rows_at_once
    )
    return file_ranking_of(statistics, options, movies, compare_to)


def file_ranking_of(
    statistics: MovieStatistics,
    options: RankingOptions,
    movies: pl.DataFrame | None = None,
    compare_to: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the ranking as it is written to files; see `rank_large`."""
    import polars as pl

    if options.method != "mean":
        return ranking_of(statistics, options, movies, compare_to)
    ranking = (
        statistics.movies.filter(pl.col("num_ratings") >= options.min_ratings)
        .select("movieId", avg_rating=pl.col("total") / pl.col("num_ratings"), num_ratings="num_ratings")
        .sort(list(_MEAN_ORDER), descending=list(_MEAN_ORDER.values()))
    )
    return ranking if movies is None else add_titles(ranking.lazy(), movies.lazy()).collect()


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


def _check_genres(options: RankingOptions, movies: pl.DataFrame | None) -> None:
    if options.by == "genre" and (movies is None or "genres" not in movies.columns):
        raise ValueError("a ranking by genre needs movies with the column genres")
