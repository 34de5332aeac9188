"""Files of ratings, local or on object storage, ranked in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.storage.files import local_copies
from airflow_movielens.storage.input_facts import ratings_files

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.ranking import RankingOptions
    from airflow_movielens.ranking.manifest import RatingsFile


def rank_files(
    files: list[str], options: RankingOptions, movies: pl.DataFrame | None, compare_to: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[RatingsFile]]:
    """Rank the movies in files of ratings, and return the ranking and the facts about the files.

    Args:
        files: The paths or URLs of the files.
        options: How to rank.
        movies: movieId, title, year and genres; None to rank without titles.
        compare_to: An earlier ranking; None for no comparison.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file cannot be read as ratings, or the options do not fit; see `rank_large`.
        FatalError: Access is denied.
    """
    import polars as pl

    from airflow_movielens.ranking import rank_large
    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import RATINGS

    with local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        inputs = ratings_files(files, paths, scans)
        return rank_large(pl.concat(scans), options, movies, compare_to), inputs
