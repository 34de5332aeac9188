"""Options of commands that use a model: which one, where the titles of movies come from, and how many to show."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.cli.exit_status import UsageError, as_usage_errors
from airflow_movielens.connection.coerce import whole_number

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.settings import ClientSettings
    from airflow_movielens.recommending import Model
    from airflow_movielens.recommending.registry import ModelRegistry
    from airflow_movielens.recommending.titles import Titles


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `ModelSources.of` reads."""
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--model", metavar="PATH", help="local file that Model.save wrote")
    models.add_argument("--registry", metavar="FOLDER", help="registry whose champion is used")
    titles = parser.add_mutually_exclusive_group()
    titles.add_argument(
        "--movies-path", metavar="PATH", help="file or URL with movieId and title, such as GroupLens' movies.csv"
    )
    titles.add_argument(
        "--host",
        metavar="URL",
        help="API to take titles from; credentials come from the environment (default: MOVIELENS_HOST, if set)",
    )
    parser.add_argument("--n", type=int, default=10, metavar="N", help="number of movies (default: %(default)s)")
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")


@dataclass(frozen=True)
class ModelSources:
    """A model and the titles of its movies, not read yet.

    Attributes:
        model: The file of the model, or the registry whose champion is used.
        movies: The files of movies.
        api: The API to take titles from if there are no such files; None for no titles.
        n: How many movies to show.
    """

    model: Path | ModelRegistry
    movies: list[str]
    api: ClientSettings | None
    n: int

    @classmethod
    def of(cls, options: argparse.Namespace, output: str | None = None) -> ModelSources:
        """Check the options.

        Args:
            options: The options.
            output: The file that the command writes.

        Raises:
            FatalError: The address of the API or the credentials are unusable.
            ValueError: Another option is unusable.
        """
        from airflow_movielens.cli.api_options import settings_of_environment
        from airflow_movielens.ratings.paths import local_path
        from airflow_movielens.recommending.registry import ModelRegistry
        from airflow_movielens.storage.inputs import input_files

        model = ModelRegistry(options.registry) if options.registry else local_path(options.model)
        if model is None:
            raise ValueError(f"--model is {options.model}: give a local file")
        with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
            movies = input_files(options.movies_path, output=output) if options.movies_path else []
        has_api = not movies and (options.host or os.environ.get("MOVIELENS_HOST"))
        api = settings_of_environment(options.host) if has_api else None
        return cls(model, movies, api, whole_number("--n", options.n))

    def read(self) -> tuple[str, Model, Titles]:
        """Read the model and the titles, and return them after the model's version or path.

        Raises:
            MovielensError: The API cannot be read.
            OSError: A file cannot be read.
            ValueError: A file holds no model, or no movies.
        """
        from airflow_movielens.recommending import load_model
        from airflow_movielens.recommending.titles import Titles

        name, path = self._located()
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        model = load_model(path)
        with redirect_stdout(sys.stderr):
            return name, model, Titles.of(self._movies())

    def _located(self) -> tuple[str, Path]:
        """Return the version or path of the model, and its file."""
        from airflow_movielens.recommending.registry import ModelRegistry

        if not isinstance(self.model, ModelRegistry):
            return str(self.model), self.model
        try:
            path = self.model.path_of("champion")
        except LookupError as error:
            raise ValueError(str(error)) from error
        return path.stem, path

    def _movies(self) -> pl.DataFrame | None:
        from airflow_movielens.client.client import MovielensClient
        from airflow_movielens.client.fetch.movies import movies_of_api
        from airflow_movielens.ratings.schema import MOVIES
        from airflow_movielens.storage.files import read_files

        if self.api is not None:
            with MovielensClient(**vars(self.api)) as client:
                return movies_of_api(client)
        try:
            movies, _ = read_files(self.movies, MOVIES, ["movieId", "title", "year"])
        except ValueError:  # such as GroupLens' movies.csv, which has the years in the titles
            movies, _ = read_files(self.movies, MOVIES, ["movieId", "title"])
        return movies

    def find(self, titles: Titles, text: str) -> int:
        """Return the movie with a title; see `Titles.find`.

        Raises:
            UsageError: There is no such movie, or there are several.
        """
        if not (self.movies or self.api or text.isdecimal()):
            raise UsageError(f"to find {text!r}, give --movies-path, or the API with the titles as --host")
        with as_usage_errors():
            return titles.find(text)
