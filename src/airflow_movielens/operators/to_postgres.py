"""The operator that loads ratings, movies, rankings or recommendations into a table of PostgreSQL."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.client import FatalError
from airflow_movielens.connection.coerce import paths_as_text
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.metrics import failures_sent, send_success
from airflow_movielens.task_errors import StoppableMixin, clear_failures
from airflow_movielens.window import WindowMixin, resolve_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from airflow.sdk import Context

    from airflow_movielens.postgres.contents import Content
    from airflow_movielens.postgres.input_rows import InputRows
    from airflow_movielens.postgres.scope import Scope
    from airflow_movielens.postgres.table import TableName
    from airflow_movielens.storage.inputs import InputPath

log = logging.getLogger(__name__)


class MovielensToPostgresOperator(LineageMixin, StoppableMixin, WindowMixin, BaseOperator):
    """Load ratings, movies, a ranking or recommendations into a table of PostgreSQL.

    Rows are replaced, not added: ratings those of their window, other rows those of a partition or of the whole table.
    Afterwards the table has exactly the rows of the input there, or it is as before. A rerun with the same rows writes
    nothing. The return value has the table, what was replaced, and the numbers of rows.

    Args:
        postgres_conn_id: The Airflow connection of the database, of type ``postgres``.
        table: The table, as ``table`` or ``schema.table``; capitals count.
        input_path: A path, a glob or a folder of part files, local or URL; the return value of the task that wrote the
            file (``fetch.output``); or a list of these.
        movielens_conn_id: The Airflow connection of an API to take ratings or movies from, instead of ``input_path``.
        start_date: First UTC day of ratings to replace, ``YYYY-MM-DD`` or a date; None for the windows of the fetches
            that wrote the files, or to derive the window from the run.
        end_date: First UTC day after the window; None likewise.
        content: What is loaded: ``ratings``, ``movies``, ``ranking`` or ``recommendations``.
        partition: A UTC day, ``YYYY-MM-DD`` or a date, to keep the rows of many days in one table: its column
            ``partition`` has the day. None to replace the whole table; not for ratings.
        create_table: Whether to create the table and its primary key if there is none.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = (
        "postgres_conn_id",
        "table",
        "input_path",
        "movielens_conn_id",
        "_start_date",
        "_end_date",
        "content",
        "partition",
    )

    def __init__(
        self,
        *,
        postgres_conn_id: str,
        table: str,
        input_path: InputPath | Iterable[InputPath] | None = None,
        movielens_conn_id: str | None = None,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        content: Literal["ratings", "movies", "ranking", "recommendations"] = "ratings",
        partition: str | date | None = None,
        create_table: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.postgres_conn_id = postgres_conn_id
        self.table = table
        self.input_path = paths_as_text(input_path)
        self.movielens_conn_id = movielens_conn_id
        self._start_date = self._given_bound("start_date", start_date, kwargs["default_args"])
        self._end_date = self._given_bound("end_date", end_date, kwargs["default_args"])
        self.content = content
        self.partition = partition
        self.create_table = create_table

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the rows, and return their numbers."""
        from airflow_movielens.postgres.connection import check_provider, connected, stoppable
        from airflow_movielens.postgres.contents import content_named
        from airflow_movielens.postgres.loading import load
        from airflow_movielens.postgres.table import TableName

        with clear_failures(), failures_sent("load", context):
            content, table = content_named(self.content), TableName.of(self.table)
            self._check_arguments(content)
            check_provider()
            with self._input(context, content, table) as given:
                scope = self._scope(context, given)
                with connected(self.postgres_conn_id) as database:
                    self.log.info("Loading the %s of %s into the table %s", content.name, scope, self.table)
                    loaded = stoppable(database, lambda: load(database, table, given, scope, create=self.create_table))
                    self._outputs = [loaded.dataset(database)]
            self.log.info(
                "The table %s has the %d rows of the input: %d were inserted, %d updated, and %d others deleted",
                loaded.table, loaded.rows, loaded.inserted, loaded.updated, loaded.deleted,
            )  # fmt: skip
            summary = loaded.summary(scope)
            send_success("load", summary, context)
            return summary

    def _check_arguments(self, content: Content) -> None:
        """Check what only certain contents and inputs allow.

        Raises:
            FatalError: An argument does not go with another one.
        """
        if (self.input_path is None) == (self.movielens_conn_id is None):
            raise FatalError("give either input_path, a file, or movielens_conn_id, an API")
        if self.movielens_conn_id is not None and content.name not in ("ratings", "movies"):
            raise FatalError(f"an API has no {content.name}: give input_path, the file that a task has written")
        if content.is_of_a_window and self.partition is not None:
            raise FatalError("ratings have no partition: give the days to replace as start_date and end_date")
        if not content.is_of_a_window and (self._start_date is not None or self._end_date is not None):
            raise FatalError(
                f"start_date and end_date are for ratings: give the day of the {content.name} as partition"
            )

    @contextmanager
    def _input(self, context: Context, content: Content, table: TableName) -> Iterator[InputRows]:
        from airflow_movielens.lineage import Dataset
        from airflow_movielens.postgres.connection import connected
        from airflow_movielens.postgres.input_rows import rows_of_files
        from airflow_movielens.postgres.loading import check_table
        from airflow_movielens.storage.inputs import input_files

        if self.movielens_conn_id is None:
            with rows_of_files(input_files(self.input_path), content) as given:
                columns = {column.name: column.dtype.lower() for column in given.columns}
                self._inputs = [Dataset(file.path, columns, None, file.bytes, file.sha256) for file in given.files]
                yield given
            return
        with connected(self.postgres_conn_id) as database:
            has_partition = self.partition is not None
            check_table(database, table, content, has_partition=has_partition, create=self.create_table)
        with self._rows_of_api(self.movielens_conn_id, context, content) as given:
            yield given

    @contextmanager
    def _rows_of_api(self, conn_id: str, context: Context, content: Content) -> Iterator[InputRows]:
        import polars as pl

        from airflow_movielens.client.fetch import LogProgress, fetched_rows
        from airflow_movielens.client.fetch.movies import all_movies
        from airflow_movielens.hooks import MovielensHook
        from airflow_movielens.lineage import table_of_api
        from airflow_movielens.postgres.input_rows import InputRows

        columns = list(content.table.columns)
        with MovielensHook(conn_id) as hook:
            base_url = hook.get_conn().base_url
            if not content.is_of_a_window:
                movies = all_movies(hook.client)
                self._inputs = [table_of_api(base_url, content.table, len(movies))]
                yield InputRows(content, columns, movies.lazy())
                return
            window = resolve_window(context, self._start_date, self._end_date)
            with fetched_rows(hook.client, window, LogProgress(log)) as rows:
                count = rows.select(pl.len()).collect().item()
                self._inputs = [table_of_api(base_url, content.table, count, window=window)]
                yield InputRows(content, columns, rows, windows=[window])

    def _scope(self, context: Context, given: InputRows) -> Scope:
        """Return which rows of the table are replaced."""
        from airflow_movielens.client import parse_day
        from airflow_movielens.postgres.scope import Scope

        if not given.content.is_of_a_window:
            return Scope(partition=None if self.partition is None else parse_day(self.partition, "partition"))
        is_given = self._start_date is not None or self._end_date is not None
        if is_given or given.windows is None:
            return Scope.of_windows([resolve_window(context, self._start_date, self._end_date)])
        return Scope.of_windows(given.windows)
