"""The operator that ranks the movies in files of ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import paths_as_text, whole_number
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.links import MovielensOutputLink
from airflow_movielens.task_errors import StoppableMixin, clear_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    import polars as pl
    from airflow.sdk import Context

    from airflow_movielens.ranking import RankingOptions
    from airflow_movielens.ranking.manifest import InputFile, RatingsFile
    from airflow_movielens.storage.inputs import InputPath


class MovielensRankMoviesOperator(LineageMixin, StoppableMixin, BaseOperator):
    """Rank the movies in files of ratings.

    With ``mean``, the ranking has movieId, title (if titles are known), avg_rating and num_ratings, ordered by
    avg_rating and num_ratings, both descending, then movieId. Other methods write the columns of
    `airflow_movielens.ranking.rank_movies`. The return value is a small manifest: the method and its parameters, the
    days that the ratings cover, the files read with their checksums, and more
    (`airflow_movielens.ranking.manifest.RankingManifest`). It also lies beside the ranking.

    Args:
        input_path: Ratings: a path, a glob or a folder of part files, local or URL; the return value of a fetch
            (``fetch.output``); or a list of these.
        output_path: The file to write, which must not be an input; its extension selects the format.
        conn_id: The Airflow connection of an API to take titles from, if ``movies_path`` is not given.
        movies_path: A file with movieId and title, such as GroupLens' ``movies.csv``; with genres for ``by="genre"``.
        min_ratings: Movies rated by fewer distinct users are left out; None for 3 with ``mean`` and 1 otherwise.
        method: ``mean``, ``bayesian``, ``wilson``, ``imdb``, ``popular`` or ``trending``.
        parameters: Parameters of the method, such as ``{"k": 50}`` for ``bayesian``.
        by: ``"genre"`` to rank the movies of each genre; not with ``mean``.
        compare_to: A file with an earlier ranking of the same kind, or the return value of the task that wrote it, to
            add each movie's movement; not with ``mean``.
        unique: Whether no user rated a movie twice in these files, which saves most of the time and memory.
        engine: ``"spark"`` to read and add up the ratings with Spark; ``"polars"`` to do it in this process.
        spark_conn_id: The Airflow connection of the Spark cluster, of type ``spark``; None for what Spark itself is
            configured for, by default the cores of this machine.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = (
        "input_path",
        "output_path",
        "conn_id",
        "movies_path",
        "min_ratings",
        "method",
        "parameters",
        "by",
        "compare_to",
        "spark_conn_id",
    )
    operator_extra_links = (MovielensOutputLink(),)

    def __init__(
        self,
        *,
        input_path: InputPath | Iterable[InputPath],
        output_path: str | PathLike[str],
        conn_id: str | None = None,
        movies_path: str | PathLike[str] | None = None,
        min_ratings: int | None = None,
        method: str = "mean",
        parameters: dict[str, Any] | None = None,
        by: Literal["genre"] | None = None,
        compare_to: InputPath | None = None,
        unique: bool = False,
        engine: Literal["polars", "spark"] = "polars",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_path = paths_as_text(input_path)
        self.output_path = paths_as_text(output_path)
        self.conn_id = conn_id
        self.movies_path = paths_as_text(movies_path)
        self.min_ratings = min_ratings
        self.method = method
        self.parameters = parameters
        self.by = by
        self.compare_to = paths_as_text(compare_to)
        self.unique = unique
        self.engine = engine
        self.spark_conn_id = spark_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Rank, write, and return the manifest."""
        from airflow_movielens.lineage import file_of_ranking, inputs_of_ranking, parameters_of_ranking
        from airflow_movielens.ranking import RANKINGS, check_files
        from airflow_movielens.ranking.manifest import RankingSources
        from airflow_movielens.storage.catalogue.recording import recorded
        from airflow_movielens.storage.files import checked_output, read_files, write_ranking
        from airflow_movielens.storage.inputs import input_files
        from airflow_movielens.storage.rank import rank_files
        from airflow_movielens.storage.spark import check_engine

        with clear_failures(), recorded("ranking", context, self.output_path) as recording:
            output = checked_output(self.output_path)
            options = self._options()
            check_engine(self.engine, self.spark_conn_id)
            has_movies = self.movies_path is not None or self.conn_id is not None
            check_files(options, has_movies=has_movies, has_earlier=self.compare_to is not None)
            files = input_files(self.input_path, output=output)
            movies_files = [] if self.movies_path is None else input_files(self.movies_path, output=output)
            earlier_files = [] if self.compare_to is None else input_files(self.compare_to, output=output)
            earlier, compare_to = read_files(earlier_files, RANKINGS, options.compared_columns)
            movies, movies_from, source = self._movies(movies_files)
            rank = self._rank_on_spark if self.engine == "spark" else rank_files
            ranking, inputs = rank(files, options, movies, earlier)
            sources = RankingSources(inputs, movies_from, source, compare_to)
            manifest = write_ranking(ranking, output, options, sources, recording.task)
            self._inputs = inputs_of_ranking(manifest, movies, earlier)
            self._outputs = [file_of_ranking(manifest, ranking)]
            self._parameters = parameters_of_ranking(options)
            self.log.info(
                "Ranked %d movies of %d files by %s into %s", len(ranking), len(files), options.method, output
            )
            if movies is not None:
                recording.save_movies(movies)
            recording.done(manifest.to_dict(), manifest.ranked_at)
            return manifest.summary()

    def _rank_on_spark(
        self, files: list[str], options: RankingOptions, movies: pl.DataFrame | None, earlier: pl.DataFrame | None
    ) -> tuple[pl.DataFrame, list[RatingsFile]]:
        from airflow_movielens.ranking.spark import rank_on_spark, ratings_on_spark
        from airflow_movielens.storage.input_facts import ratings_files_on_spark
        from airflow_movielens.storage.spark import spark_session, spark_url

        with spark_session(self.spark_conn_id, f"{self.dag_id}.{self.task_id}") as session:
            ratings = ratings_on_spark(session, [spark_url(file) for file in files])
            ranking = rank_on_spark(ratings, options, movies, earlier)
            return ranking, ratings_files_on_spark(files, ratings)

    def _options(self) -> RankingOptions:
        from airflow_movielens.ranking import RankingOptions

        def rendered(value: Any) -> Any:
            """Return the number that a template rendered, or the value, to be reported."""
            try:
                return float(value) if isinstance(value, str) else value
            except ValueError:
                return value

        return RankingOptions(
            self.method,
            None if self.min_ratings is None else whole_number("min_ratings", self.min_ratings),
            self.by,
            unique=self.unique,
            parameters={name: rendered(value) for name, value in (self.parameters or {}).items()},
        )

    def _movies(self, files: list[str]) -> tuple[pl.DataFrame | None, list[InputFile], str | None]:
        """Return the movies with their titles, and the files or the base URL of the API that they come from."""
        from airflow_movielens.client.fetch.movies import movies_of_api
        from airflow_movielens.hooks import MovielensHook
        from airflow_movielens.ratings.schema import MOVIES
        from airflow_movielens.storage.files import read_files

        if files or self.conn_id is None:
            return *read_files(files, MOVIES, ["movieId", "title", *(["genres"] if self.by else [])]), None
        with MovielensHook(self.conn_id) as hook:
            return movies_of_api(hook.client), [], hook.get_conn().base_url
