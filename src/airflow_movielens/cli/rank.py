"""``movielens rank``: rank the movies in files of ratings."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from airflow_movielens.connection.coerce import whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import polars as pl

_SHOWN = 10


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "rank the movies in files of ratings"
    parser = commands.add_parser("rank", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument(
        "--input-path",
        required=True,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="files, URLs or globs of either",
    )
    parser.add_argument(
        "--output-path", required=True, metavar="PATH", help="file or URL; .csv, .json, .ndjson, .parquet"
    )
    parser.add_argument(
        "--movies-path", metavar="PATH", help="file or URL with movieId and title, such as GroupLens' movies.csv"
    )
    parser.add_argument(
        "--min-ratings",
        type=int,
        default=3,
        metavar="N",
        help="leave out movies rated by fewer distinct users (default: %(default)s)",
    )
    parser.add_argument("--method", default="mean", help="ranking method (default: %(default)s)")
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped="nothing was written")


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that ranks."""
    from airflow_movielens.ranking import rank_large, ranking_method
    from airflow_movielens.storage.files import checked_output, local_copies, write_output
    from airflow_movielens.storage.inputs import input_files

    min_ratings = whole_number("--min-ratings", options.min_ratings)
    method = ranking_method(options.method)
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        output = checked_output(options.output_path)
        files = input_files(options.input_path, output=output)
        movies_files = input_files(options.movies_path, output=output) if options.movies_path else []

    def run() -> None:
        from airflow_movielens.ratings.reading import scan_files
        from airflow_movielens.ratings.schema import RATINGS

        with redirect_stdout(sys.stderr):
            with local_copies(files) as paths:
                ranking = rank_large(scan_files(paths, RATINGS), min_ratings, method)
            if movies_files:
                ranking = _titled(ranking, movies_files)
            write_output(ranking.lazy(), output)
        if sys.stdout.isatty():
            _show_top(ranking)
        print(f"{len(ranking):,} movies of {len(files):,} files ranked in {output}")

    return run


def _titled(ranking: pl.DataFrame, movies_files: list[str]) -> pl.DataFrame:
    from airflow_movielens.ranking import add_titles
    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.ratings.schema import MOVIES
    from airflow_movielens.storage.files import local_copies

    with local_copies(movies_files) as paths:
        return add_titles(ranking.lazy(), scan_files(paths, MOVIES, ["movieId", "title"])).collect()


def _show_top(ranking: pl.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("#")
    for name in ranking.columns:
        table.add_column(name, justify="left" if name == "title" else "right")
    for place, row in enumerate(ranking.head(_SHOWN).rows(), start=1):
        table.add_row(str(place), *(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
    Console().print(table, markup=False)
