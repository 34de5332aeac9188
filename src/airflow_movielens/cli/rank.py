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
_PARAMETERS = {
    "k": "bayesian: ratings of the mean that each movie is given in addition (default: 100)",
    "confidence": "wilson: the interval's confidence (default: 0.95)",
    "m": "imdb: ratings at which a movie's own mean weighs half (default: those that 99 %% of movies do not exceed)",
    "half_life": "trending: days after which a like weighs half (default: by the density of likes, 7 to 365)",
}


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
        metavar="N",
        help="leave out movies rated by fewer distinct users (default: 3 for mean, otherwise 1)",
    )
    parser.add_argument("--method", default="mean", help="ranking method (default: %(default)s)")
    parser.add_argument("--by", choices=["genre"], help="rank the movies of each genre; needs --movies-path")
    parser.add_argument("--compare-to", metavar="PATH", help="file or URL of an earlier ranking, to add the movement")
    parser.add_argument(
        "--as-of", type=int, metavar="SECOND", help="rank as of a Unix second (default: the last rating)"
    )
    parser.add_argument("--unique", action="store_true", help="no user rated a movie twice: faster, in less memory")
    for name, description in _PARAMETERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X", help=description)
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped="nothing was written")


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that ranks."""
    from airflow_movielens.ranking import RankingOptions, check_files
    from airflow_movielens.storage.files import checked_output, read_files, write_ranking
    from airflow_movielens.storage.inputs import input_files

    how = RankingOptions(
        options.method,
        None if options.min_ratings is None else whole_number("--min-ratings", options.min_ratings),
        options.by,
        options.as_of,
        options.unique,
        {name: getattr(options, name) for name in _PARAMETERS},
    )
    check_files(how, has_movies=bool(options.movies_path), has_earlier=bool(options.compare_to))
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        output = checked_output(options.output_path)
        files = input_files(options.input_path, output=output)
        movies_files = input_files(options.movies_path, output=output) if options.movies_path else []
        earlier_files = input_files(options.compare_to, output=output) if options.compare_to else []

    def run() -> None:
        from airflow_movielens.ranking import RANKINGS
        from airflow_movielens.ranking.manifest import RankingSources
        from airflow_movielens.ratings.schema import MOVIES
        from airflow_movielens.storage.rank import rank_files

        with redirect_stdout(sys.stderr):
            titles = ["movieId", "title", *(["genres"] if how.by else [])]
            movies, movies_from = read_files(movies_files, MOVIES, titles)
            earlier, compare_to = read_files(earlier_files, RANKINGS, how.compared_columns)
            ranking, inputs = rank_files(files, how, movies, earlier)
            write_ranking(ranking, output, how, RankingSources(inputs, movies_from, None, compare_to))
        if sys.stdout.isatty():
            _show_top(ranking)
        print(f"{len(ranking):,} movies of {len(files):,} files ranked in {output}")

    return run


def _show_top(ranking: pl.DataFrame) -> None:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from airflow_movielens.cli.tables import cell

    table = Table() if "rank" in ranking.columns else Table("#")
    for name in ranking.columns:
        table.add_column(name, justify="left" if ranking.schema[name] == pl.String else "right")
    for place, row in enumerate(ranking.head(_SHOWN).rows(), start=1):
        cells = (cell(value, 2) for value in row)
        table.add_row(*(() if "rank" in ranking.columns else (str(place),)), *cells)
    Console(emoji=False).print(table, markup=False)
