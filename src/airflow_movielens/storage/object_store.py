"""Objects by their URLs, with the file systems of their connections, and their errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, MovielensError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath

_UNREACHABLE = {"botocore.exceptions.ConnectionError", "botocore.exceptions.HTTPClientError"}
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl", "az", "wasb", "wasbs"), "apache-airflow-providers-microsoft-azure"),
}


def object_at(url: str) -> ObjectStoragePath:
    """Return the object at ``url`` with its file system.

    Raises:
        FatalError: No file system is installed for the scheme, or its connection cannot be used.
    """
    from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined] # 3.1 has it nowhere else
    from airflow.sdk import BaseHook, ObjectStoragePath
    from airflow.sdk.io.fs import has_fs

    scheme, _, rest = url.partition("://")
    try:
        target = ObjectStoragePath(url)
        # Without credentials, s3fs is anonymous, also if the connection does not exist.
        conn_id = rest.partition("/")[0].rpartition("@")[0]
        if getattr(target.fs, "anon", False) is True and conn_id:
            BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        advice = "create it, or set AIRFLOW_CONN_ and its id in capitals in the environment"
        raise FatalError(f"{url} cannot be used: {error}: {advice}") from error
    except (ImportError, ValueError) as error:
        if isinstance(error, ValueError) and has_fs(scheme):
            raise FatalError(f"{url} cannot be used: {error}") from error
        package = _PACKAGES.get(scheme)
        advice = f"install {package}" if package else "install the Airflow provider that has one"
        raise FatalError(f"{url} needs a file system for {scheme}://: {advice} ({error})") from error
    return target


@contextmanager
def named_errors(url: str, verb: str) -> Iterator[None]:
    """Name the URL in errors of object storage, which often name only a key, or nothing.

    Args:
        url: The URL that is read, written or listed.
        verb: Which of these, as a participle.

    Raises:
        FileNotFoundError: The object or bucket does not exist.
        FatalError: Access is denied, or the URL or its connection cannot be used.
        RetryableError: The store of S3 cannot be reached.
    """
    try:
        yield
    except MovielensError:
        raise
    except FileNotFoundError:
        words = f"there is no file {url}, or no such bucket"
        raise FileNotFoundError(f"{url} cannot be written: no such bucket" if verb == "written" else words) from None
    except PermissionError as error:
        raise FatalError(f"{url} cannot be {verb}: {error}") from error
    except Exception as error:
        kind = _kind_of_botocore(error)
        if kind is None:
            raise
        raise kind(f"{url} cannot be {verb}: {error}") from error


def _kind_of_botocore(error: Exception) -> type[MovielensError] | None:
    """Return what an error of botocore means; None for other errors."""
    names = {f"{base.__module__}.{base.__name__}" for base in type(error).__mro__}
    if "botocore.exceptions.BotoCoreError" not in names:
        return None
    return RetryableError if names & _UNREACHABLE else FatalError
