"""The operator that fetches the ratings of a window into a file."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from airflow_movielens.connection.coerce import paths_as_text, whole_number
from airflow_movielens.lineage import LineageMixin
from airflow_movielens.links import MovielensOutputLink
from airflow_movielens.task_errors import StoppableMixin, clear_failures
from airflow_movielens.window import WindowMixin, resolve_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from os import PathLike

    from airflow.sdk import Context

log = logging.getLogger(__name__)


class MovielensFetchRatingsOperator(LineageMixin, StoppableMixin, WindowMixin, BaseOperator):
    """Fetch the ratings of a window into a file, exactly: one state of the server's data, whole or not at all.

    A retry resumes where a killed try stopped. The return value is the small manifest that also lies beside the file,
    never rows.

    Args:
        output_path: The file to write, local or a URL; its extension selects the format (``.json``, ``.ndjson``,
            ``.csv``, ``.parquet``).
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day after the window; None likewise.
        batch_size: Rows per request; None for the connection's page size, by default adapted to the API.
        concurrency: How many requests may be in flight at once; None for the connection's setting.
        on_bad_rows: How to handle rows that break the contract: ``fail`` fails the task, ``quarantine`` writes them to
            a separate file, named like the output plus ``.quarantine.ndjson``.
        **kwargs: Arguments of BaseOperator.
    """

    template_fields: Sequence[str] = (
        "output_path",
        "conn_id",
        "_start_date",
        "_end_date",
        "batch_size",
        "concurrency",
        "on_bad_rows",
    )
    operator_extra_links = (MovielensOutputLink(),)

    def __init__(
        self,
        *,
        output_path: str | PathLike[str],
        conn_id: str = "movielens_default",
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        on_bad_rows: Literal["fail", "quarantine"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = paths_as_text(output_path)
        self.conn_id = conn_id
        self._start_date = self._given_bound("start_date", start_date, kwargs["default_args"])
        self._end_date = self._given_bound("end_date", end_date, kwargs["default_args"])
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.on_bad_rows = on_bad_rows

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch, write, and return the manifest."""
        from airflow_movielens.client.fetch import LogProgress, fetch_ratings
        from airflow_movielens.hooks import MovielensHook
        from airflow_movielens.lineage import files_of_fetch, table_of_api
        from airflow_movielens.ratings.schema import RATINGS
        from airflow_movielens.storage.catalogue.recording import recorded
        from airflow_movielens.storage.files import output_of
        from airflow_movielens.task_state import checkpoints_of

        with (
            clear_failures(),
            recorded("fetch", context, self.output_path) as recording,
            MovielensHook(self.conn_id, concurrency=self._number("concurrency")) as hook,
        ):
            output = output_of(self.output_path)
            window = resolve_window(context, self._start_date, self._end_date)
            recording.known = window.query()
            progress, start = LogProgress(log), monotonic()
            self.log.info("Fetching the ratings of %s from %s", window, hook.get_conn().base_url)
            manifest = fetch_ratings(
                hook.client,
                window,
                output,
                batch_size=self._number("batch_size"),
                on_bad_rows=self.on_bad_rows,
                checkpoints=checkpoints_of(context),
                progress=progress,
                task=recording.task,
            )
            fetch = {
                "pages": progress.last.pages,
                "requests_repeated": hook.client.requests_repeated,
                "seconds": round(monotonic() - start, 3),
                "resumed_rows": progress.last.resumed_rows,
            }
            recording.done({**manifest.to_dict(), "fetch": fetch}, manifest.fetched_at)
            self._inputs = [
                table_of_api(manifest.source, RATINGS, manifest.rows, window=window, version=manifest.snapshot)
            ]
            self._outputs = files_of_fetch(manifest)
            self.log.info("Wrote %d ratings of %s to %s", manifest.rows, window, output.path)
            return manifest.to_dict()

    def _number(self, name: str) -> int | None:
        value = getattr(self, name)
        return None if value is None else whole_number(name, value)
