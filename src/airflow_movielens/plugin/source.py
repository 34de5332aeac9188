"""The catalogue as the user of a request may see it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any

from airflow.configuration import conf
from fastapi import Depends

from airflow_movielens.plugin.errors import MissingDataRootError, NoDataRootError
from airflow_movielens.plugin.security import ReadableDags, ReadableDagsDep
from airflow_movielens.ratings.paths import local_path
from airflow_movielens.storage.catalogue import Catalogue, Found, Kind, Record
from airflow_movielens.storage.catalogue.records import month_of


class Source:
    """Where a view's data come from.

    Args:
        readable: The Dags that the user may read.
    """

    def __init__(self, readable: ReadableDags) -> None:
        self.readable = readable

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue under the configured root, with the records of all Dags.

        Raises:
            NoDataRootError: No root is configured.
            MissingDataRootError: It is a folder that does not exist here.
        """
        root = conf.get("movielens", "data_root", fallback="")
        if not root:
            raise NoDataRootError
        folder = local_path(root)
        if folder is not None and not folder.is_dir():
            raise MissingDataRootError(root)
        return Catalogue(root)

    def records(self, kind: Kind, facts: Collection[str] | None = None) -> Found:
        """Return the records of a kind that the user may see.

        Args:
            kind: What was done.
            facts: The names of the facts that the view needs, which saves time and memory; None for all.
        """
        return self._visible(self.catalogue.records(kind, facts=facts))

    def facts_of(self, record: Record) -> dict[str, Any]:
        """Return all facts of a record that was read with only some of them."""
        of_month = self.catalogue.records(record.kind, [month_of(record)]).records
        same = (each.facts for each in reversed(of_month) if (each.path, each.at) == (record.path, record.at))
        return next(same, record.facts)

    def records_of_run(self, dag_id: str, run_id: str) -> Found:
        """Return the records of a Dag run; none if the user may not read the Dag."""
        return self._visible(self.catalogue.records_of_run(dag_id, run_id))

    def _visible(self, found: Found) -> Found:
        records = [record for record in found.records if record.task is None or record.task.dag_id in self.readable]
        return replace(found, records=records)


def _source(readable: ReadableDagsDep) -> Source:
    return Source(readable)


SourceDep = Annotated[Source, Depends(_source)]
