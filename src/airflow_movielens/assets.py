"""The ``movielens://`` asset scheme: ``movielens://host:port/ratings`` is the ratings of the API at that address.

If the port is left out, the default of the API's URL applies. A path prefix of the API is kept: the ratings of
``https://example.com/api`` are ``movielens://example.com/api/ratings``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_movielens.client import FatalError, build_base_url

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset

_RESOURCES = ("ratings", "movies", "users")
"""The resources of an API: the last segment of an asset's path."""


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check and normalise a ``movielens://`` URI; Airflow calls this for each asset of that scheme.

    Raises:
        ValueError: The URI has no host, holds a user, has an unreadable port or a query, or its path does not end in
            one of `_RESOURCES`.
    """
    # Airflow itself has cut a password off by now, and its user with it.
    if uri.username is not None:
        raise ValueError("a movielens:// URI must not hold credentials: put them into the Airflow connection")
    try:
        base_url = build_base_url(f"http://{uri.netloc}")
    except FatalError as error:
        raise ValueError(f"{uri.geturl()!r} is not a movielens:// URI: {error}") from None
    prefix, _, resource = uri.path.rpartition("/")
    if uri.query or uri.fragment or "//" in uri.path or resource not in _RESOURCES:
        shape = (
            f"movielens://host:port/resource, where the resource is {', '.join(_RESOURCES[:-1])} or {_RESOURCES[-1]}"
        )
        raise ValueError(f"{uri.geturl()!r} is not of the form {shape}")
    return uri._replace(netloc=urlsplit(base_url).netloc.lower(), path=f"{prefix}/{resource}")


def create_asset(
    *,
    host: str | None = None,
    schema: str | None = None,
    port: int | None = None,
    resource: str = "ratings",
    **kwargs: Any,
) -> Asset:
    """Return the asset of an API from the fields of a connection.

    Args:
        host: A bare host (default ``localhost``), or a full URL.
        schema: ``http`` (default) or ``https``.
        port: Default 5000 for http and 443 for https.
        resource: One of `_RESOURCES`.
        **kwargs: Arguments of Airflow's ``Asset``: ``name`` (default: the URI), ``watchers``, ``extra``, …

    Raises:
        FatalError: Host, schema and port do not make a usable address.
        ValueError: The resource is not one of `_RESOURCES`.
    """
    from airflow.sdk import Asset

    return Asset(uri=uri_of(build_base_url(host, schema, port), resource), **kwargs)


def uri_of(base_url: str, resource: str) -> str:
    """Return the URI of a resource of the API at ``base_url``, without the checks of `sanitize_uri`."""
    parts = urlsplit(base_url)
    return f"movielens://{parts.netloc.lower()}{parts.path}/{resource}"


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """Return the OpenLineage dataset of an asset: the address is its namespace, the path its name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
