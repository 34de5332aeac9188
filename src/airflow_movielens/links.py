"""The link from a task to its output in Airflow's UI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class MovielensOutputLink(BaseOperatorLink):
    """A link to the file that a task wrote.

    For a file on S3 or Google Cloud Storage, the link opens the cloud's console. Airflow's UI cannot open files of a
    machine, so for any other file the link opens the task's return value: the manifest with the path, the number of
    rows and more. There is no link before the task has succeeded, or with ``do_xcom_push=False``.

    Airflow requests the link on the worker when the task ends and stores it as an XCom, so the API server does not need
    this package.
    """

    name = "Output"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the link to the output of a task instance, or an empty string if it has none."""
        from airflow.sdk.execution_time.xcom import XCom

        manifest = XCom.get_value(ti_key=ti_key, key="return_value")
        if not isinstance(manifest, Mapping):
            return ""
        return _console_page(str(manifest["path"])) or _xcom_page(ti_key)


def _console_page(path: str) -> str | None:
    parts = urlsplit(path, allow_fragments=False)
    # In s3://conn_id@bucket/key, the part before the @ is Airflow's.
    bucket, key = quote(parts.netloc.rpartition("@")[2]), path.partition("://")[2].partition("/")[2]
    match parts.scheme:
        case "s3":
            return f"https://console.aws.amazon.com/s3/object/{bucket}?{urlencode({'prefix': key})}"
        case "gs":
            return f"https://console.cloud.google.com/storage/browser/_details/{bucket}/{quote(key)}"
    return None


def _xcom_page(ti_key: TaskInstanceKey) -> str:
    from airflow.configuration import conf

    mapped = "" if ti_key.map_index is None or ti_key.map_index < 0 else f"/mapped/{ti_key.map_index}"
    task = f"dags/{quote(ti_key.dag_id)}/runs/{quote(ti_key.run_id)}/tasks/{quote(ti_key.task_id)}"
    return f"{conf.get('api', 'base_url', fallback='/').rstrip('/')}/{task}{mapped}/xcom"
