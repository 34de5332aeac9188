"""Fetch a window of ratings into a file, exactly, and resume after a killed attempt.

- ``fetching``: ``fetch_ratings``, from the client to the published file.
- ``resume``: resume after the saved parts, and start over if the data changed.
- ``parts``: a part of a fetch, and how it is written.
- ``part_store``: the durable parts of a window, and when they are written.
- ``checkpoint``: which parts are durable, and where to resume.
- ``output``: the file to write, its manifest, and the folder of its parts.
- ``movies``: all movies of an API in one dataframe.
- ``workdirs``: hidden and temporary folders, and the removal of those of dead processes.
- ``progress``: how far a fetch is.
"""

from __future__ import annotations

from airflow_movielens.client.fetch.checkpoint import Checkpoints
from airflow_movielens.client.fetch.fetching import fetch_ratings, fetched_rows
from airflow_movielens.client.fetch.output import LocalOutput, Manifest, Output, PartsFolder
from airflow_movielens.client.fetch.progress import LogProgress, Progress

__all__ = [
    "Checkpoints",
    "LocalOutput",
    "LogProgress",
    "Manifest",
    "Output",
    "PartsFolder",
    "Progress",
    "fetch_ratings",
    "fetched_rows",
]
