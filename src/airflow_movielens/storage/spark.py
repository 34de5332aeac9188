"""Spark as tasks use it: a session on the cluster of a connection, and the URLs by which Spark reads files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError
from airflow_movielens.ratings.paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

_SCHEMES = {"s3": "s3a", "s3n": "s3a", "gcs": "gs"}
_NOT_HOSTS = ("local", "yarn")


def check_engine(engine: str, conn_id: str | None) -> None:
    """Check the arguments of an operator that say what reads its files.

    Args:
        engine: ``polars`` or ``spark``.
        conn_id: The Airflow connection of a Spark cluster.

    Raises:
        ValueError: There is no such engine, or a connection is given without Spark.
    """
    if engine not in ("polars", "spark"):
        raise ValueError(f"there is no engine {engine!r}: use 'polars' or 'spark'")
    if conn_id is not None and engine != "spark":
        raise ValueError("spark_conn_id is given without engine='spark'")


@contextmanager
def spark_session(conn_id: str | None, name: str) -> Iterator[SparkSession]:
    """Yield a Spark session, which ends with the block.

    Args:
        conn_id: The Airflow connection of the cluster, of type ``spark``: host and port of its master, and settings of
            Spark (``spark.…``) as extra; None for what Spark itself is configured for, by default this machine.
        name: The name that Spark shows for the session.

    Raises:
        FatalError: PySpark or Java is not installed, or the connection is not one of Spark.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise FatalError(f"engine='spark' needs PySpark: install airflow-movielens[spark] ({error})") from error
    builder = SparkSession.builder.appName(name).config(map=spark_settings(conn_id))
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise FatalError(f"Spark does not start: install Java 17 or later, or set JAVA_HOME ({error})") from error
    try:
        yield session
    finally:
        session.stop()


def spark_url(path: str) -> str:
    """Return the URL by which Spark reads a file; every worker must see a local file at the same path.

    Args:
        path: A local path, or a URL that Airflow's ``ObjectStoragePath`` accepts.
    """
    local = local_path(path)
    if local is not None:
        return f"file://{local.absolute()}"
    scheme, _, rest = path.partition("://")
    bucket, slash, key = rest.partition("/")
    # Spark has its own credentials, not those of the Airflow connection before the @.
    return f"{_SCHEMES.get(scheme, scheme)}://{bucket.rpartition('@')[2]}{slash}{key}"


def spark_settings(conn_id: str | None) -> dict[str, str]:
    """Return the settings of Spark for a connection; see `spark_session`."""
    from airflow.sdk import BaseHook

    if conn_id is None:
        return {}
    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type != "spark" or not connection.host:
        raise FatalError(f"the connection {conn_id} is not one of Spark: it needs the type spark, and a host")
    master = f"{connection.host}:{connection.port}" if connection.port else connection.host
    if "://" not in master and not master.startswith(_NOT_HOSTS):
        master = f"spark://{master}"
    settings = {name: str(value) for name, value in connection.extra_dejson.items() if name.startswith("spark.")}
    return {**settings, "spark.master": master}
