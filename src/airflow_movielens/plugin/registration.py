"""The plugin that Airflow loads. Every component of Airflow loads it, so it imports nothing of the page."""

from __future__ import annotations

import gc
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

PREFIX = "movielens"
_RUN = f"{PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}/"
# No slash in front of an address: Airflow's UI resolves it against its own address, which may have a path.
_TASK = f"{_RUN}tasks/{{TASK_ID}}/{{MAP_INDEX}}/"
_SHOWN_AS = {
    "name": "MovieLens",
    "icon": f"{PREFIX}/static/icon.svg",
    "icon_dark_mode": f"{PREFIX}/static/icon-dark.svg",
}
_VIEWS = [
    _SHOWN_AS | {"url_route": "movielens", "href": f"{PREFIX}/", "destination": "nav", "category": "browse"},
    _SHOWN_AS | {"url_route": "movielens-run", "href": _RUN, "destination": "dag_run"},
    _SHOWN_AS | {"url_route": "movielens-task", "href": _TASK, "destination": "task_instance"},
]


class Page:
    """The page as an ASGI application. If it could not be built at the start, each request tries again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the page."""
        _freeze()
        await _app()(scope, receive, send)


@cache
def _app() -> ASGIApp:
    from airflow_movielens.plugin.app import create_app

    return create_app()


@cache
def _freeze() -> None:
    # What exists at the first request is Airflow's, and stays. Otherwise the garbage collector would go through all of
    # it while a view reads thousands of records, which takes a third of a second each time.
    gc.freeze()


class MovielensPlugin(AirflowPlugin):
    """The MovieLens page and its tabs on Dag runs and task instances, and the deadline reference of partitions.

    With ``[movielens] page = False`` there is no page and no tab.
    """

    name = "movielens"
    _is_on = conf.getboolean("movielens", "page", fallback=True)
    external_views = _VIEWS if _is_on else []

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page, built now, so that nobody waits for it. Of all components only the API server asks for it."""
        if not self._is_on:
            return []
        try:
            _app()
        except Exception:
            # Airflow's own UI works without it.
            log.exception("The MovieLens page cannot be built.")
        return [{"app": Page(), "url_prefix": f"/{PREFIX}", "name": "MovieLens"}]

    @property
    def deadline_references(self) -> list[Any]:  # type: ignore[override]
        """The references that Airflow may restore from a stored Dag, imported when it asks for them."""
        from airflow_movielens.deadlines import PartitionDeadline

        return [PartitionDeadline]
