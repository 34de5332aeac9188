"""The plugin that Airflow loads. Every component of Airflow loads it, so it imports nothing of the page."""

from __future__ import annotations

import gc
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

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
    """The page as an ASGI application. It is built at its first request, so only in the API server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the page."""
        await _app()(scope, receive, send)


@cache
def _app() -> ASGIApp:
    # What exists now is Airflow's, and stays. Otherwise the garbage collector would go through all of it while a view
    # reads thousands of records, which takes a third of a second each time.
    gc.freeze()
    from airflow_movielens.plugin.app import create_app

    return create_app()


def _apps() -> list[dict[str, Any]]:
    return [{"app": Page(), "url_prefix": f"/{PREFIX}", "name": "MovieLens"}]


class MovielensPlugin(AirflowPlugin):
    """The MovieLens page and its tabs on Dag runs and task instances; nothing with ``[movielens] page = False``."""

    name = "movielens"
    _is_on = conf.getboolean("movielens", "page", fallback=True)
    fastapi_apps = _apps() if _is_on else []
    external_views = _VIEWS if _is_on else []
