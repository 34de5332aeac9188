"""``movielens recommend``: recommend movies to users, with reasons."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from airflow_movielens.cli.exit_status import UsageError
from airflow_movielens.cli.model_options import ModelSources, add_model_options
from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    import polars as pl

    from airflow_movielens.ranking.manifest import RatingsFile
    from airflow_movielens.recommending.titles import Titles

# Who likes what --like names.
_NEW_USER = 0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "recommend movies to users, with reasons"
    parser = commands.add_parser("recommend", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument(
        "--user", type=_identifier, action="append", metavar="ID", help="user to recommend movies to; may be repeated"
    )
    parser.add_argument(
        "--input-path",
        nargs="+",
        action="extend",
        metavar="PATH",
        help="for --user: files, URLs or globs of either, with all ratings of these users",
    )
    parser.add_argument(
        "--like", action="append", metavar="TITLE", help="movie that a new user likes; may be repeated, latest last"
    )
    add_model_options(parser)
    parser.add_argument(
        "--output-path", metavar="PATH", help="file or URL to write; .csv, .json, .ndjson, .parquet (default: a table)"
    )
    parser.set_defaults(prepare=prepare, when_stopped="nothing was written")


def _identifier(text: str) -> int:
    (column,) = (column for column in RATINGS.columns if column.name == "userId")
    if not column.accepts([int(text)]):
        raise ArgumentTypeError(f"expected {column.expects}, found {shown(text)}")
    return int(text)


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that recommends."""
    from airflow_movielens.storage.files import checked_output
    from airflow_movielens.storage.inputs import input_files

    if bool(options.user) == bool(options.like):
        raise UsageError("give --user or --like: either users with ratings in files, or movies that a new user likes")
    if bool(options.user) != bool(options.input_path):
        raise UsageError("give --user and --input-path together: the ratings of the users are read from these files")
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        output = checked_output(options.output_path) if options.output_path else None
        files = input_files(options.input_path, output=output) if options.user else []
    sources = ModelSources.of(options, output)

    def run() -> None:
        name, model, titles = sources.read()
        likes = [sources.find(titles, text) for text in options.like or []]
        ratings, inputs = (_likes_as_ratings(likes), []) if likes else _ratings(files, options.user)
        users = options.user or [_NEW_USER]
        for user in sorted(set(users) - set(ratings["userId"])):
            print(f"movielens recommend: user {user} has no ratings in these files", file=sys.stderr)
        recommended = _in_words(model.recommend(ratings, sources.n, users, explain=True), titles)
        if output is None:
            _show(recommended, [titles.text_of(movie) for movie in likes])
        else:
            _write(recommended, output, name, sources.n, inputs)
            print(f"{len(recommended):,} recommendations to {len(set(users)):,} users in {output}")

    return run


def _likes_as_ratings(movies: Sequence[int]) -> pl.DataFrame:
    """Return the ratings of a new user who likes movies, in this order."""
    import polars as pl

    rows = [(_NEW_USER, movie, 5.0, second) for second, movie in enumerate(movies)]
    return pl.DataFrame(rows, RATINGS.polars_schema(), orient="row")


def _ratings(files: list[str], users: Sequence[int]) -> tuple[pl.DataFrame, list[RatingsFile]]:
    """Return the ratings of users in files, and the facts about the files."""
    import polars as pl

    from airflow_movielens.ratings.reading import scan_files
    from airflow_movielens.storage.files import local_copies
    from airflow_movielens.storage.input_facts import ratings_files

    with redirect_stdout(sys.stderr), local_copies(files) as paths:
        scans = [scan_files([path], RATINGS) for path in paths]
        return pl.concat(scans).filter(pl.col("userId").is_in(users)).collect(), ratings_files(files, paths, scans)


def _in_words(recommended: pl.DataFrame, titles: Titles) -> pl.DataFrame:
    """Return userId, rank, movieId, title, score and the reason as a sentence."""
    import polars as pl

    from airflow_movielens.recommending.explanations import sentence_of

    names = titles.names
    rows = recommended.select("movieId", "score", "reasons").iter_rows()
    words = [(titles.text_of(movie), sentence_of(reasons, score, names)) for movie, score, reasons in rows]
    added = pl.DataFrame(words, {"title": pl.String, "reason": pl.String}, orient="row")
    columns = ["userId", "rank", "movieId", "title", "score", "reason"]
    return pl.concat([recommended, added], how="horizontal").select(columns)


def _write(recommended: pl.DataFrame, output: str, model: str, n: int, inputs: list[RatingsFile]) -> None:
    from airflow_movielens.recommending.manifest import Recommendations, RecommendationsManifest
    from airflow_movielens.storage.files import write_file

    made = Recommendations(model, n, recommended["userId"].n_unique(), len(recommended), inputs)
    with redirect_stdout(sys.stderr):
        write_file(recommended.lazy(), output, lambda written: RecommendationsManifest.of(written, made))


def _show(recommended: pl.DataFrame, likes: Sequence[str]) -> None:
    """Print a table for each user."""
    from airflow_movielens.cli.tables import print_table

    for (user,), rows in recommended.group_by("userId", maintain_order=True):
        heading = f"For a new user who likes {', '.join(likes)}" if likes else f"For user {user}"
        print_table(rows.select("rank", "title", "score", "reason"), heading)
