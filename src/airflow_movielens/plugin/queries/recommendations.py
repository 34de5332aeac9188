"""What a published file recommends to a user.

A result has ``rows``, best first: ``rank``, ``movieId``, ``score``, ``reasons``, as `Model.recommend` describes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.plugin.queries.files import QueryFile


def for_user(files: Sequence[QueryFile], user_id: int) -> dict[str, Any]:
    """Return what a published file recommends to a user.

    Args:
        files: The file of recommendations.
        user_id: The user.

    Returns:
        The rows; none if the file does not have the user. Then ``first_user`` and ``last_user`` are its lowest and
        highest userId, or None if it is empty.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no recommendations, or is damaged.
    """
    (file,) = files
    path = file.local()
    try:
        published = pl.scan_parquet(path)
        # The file is sorted by user, so that only a small part of it is read.
        rows = published.filter(pl.col("userId") == user_id).select("rank", "movieId", "score", "reasons").collect()
        if len(rows):
            return {"rows": rows.sort("rank").to_dicts()}
        first, last = published.select(pl.col("userId").min(), last=pl.col("userId").max()).collect().row(0)
    except pl.exceptions.PolarsError as error:
        problem = file.words_of(error).partition("\n")[0]
        raise ValueError(
            f"{file.name} holds no recommendations ({problem}): clear the task that writes it, so that it runs again"
        ) from error
    return {"rows": [], "first_user": first, "last_user": last}
