"""The catalogue of a data root: what operators fetched, ranked, trained, evaluated, promoted and recommended.

It lies in the folder ``.movielens-catalogue`` of the data root, so that a reader needs a few small files instead of
listing the data of years; see docs/catalogue.md.

- ``catalogue``: ``Catalogue``, which adds and reads records.
- ``records``: a record, and the month that it belongs to.
- ``facts``: what the facts of a record can be.
- ``month_index``: the index of a kind and month, complete without locks.
- ``movies``: titles and genres by movieId.
- ``recording``: what a task does, recorded in the catalogue of the configured data root, and by metrics.
- ``manifests``: records of the manifests, registries and evaluations that lie in a data root.
- ``rebuilding``: a catalogue rebuilt from these.
- ``folder``: the files of a catalogue, local or on object storage.
"""

from __future__ import annotations

from airflow_movielens.storage.catalogue.catalogue import Catalogue, Found
from airflow_movielens.storage.catalogue.movies import Movie
from airflow_movielens.storage.catalogue.records import Kind, Record, TaskRun

__all__ = ["Catalogue", "Found", "Kind", "Movie", "Record", "TaskRun"]
