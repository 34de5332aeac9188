"""``movielens similar``: the movies most similar to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.cli.model_options import ModelSources, add_model_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "show the movies most similar to one"
    parser = commands.add_parser("similar", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument("title", metavar="TITLE", help="title of the movie, with or without its year")
    add_model_options(parser)
    parser.set_defaults(prepare=prepare, when_stopped="run the same command again")


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that shows similar movies."""
    sources = ModelSources.of(options)

    def run() -> None:
        import polars as pl

        from airflow_movielens.cli.tables import print_table

        _, model, titles = sources.read()
        movie = sources.find(titles, options.title)
        similar = model.similar(movie, sources.n)
        named = similar.with_columns(title=pl.Series(map(titles.text_of, similar["movieId"]), dtype=pl.String))
        print_table(named.select("rank", "title", "score"), f"Similar to {titles.text_of(movie)}")

    return run
