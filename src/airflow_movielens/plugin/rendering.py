"""HTML from the templates in ``templates/``, and the URLs in it.

Every template may use these names:

- ``url(path, **query)``: a view of the page, such as ``url('partitions/2015-03-07', dataset=…)``.
- ``static(name)``: a file of ``static/``.
- ``airflow.dag(dag_id)``, ``airflow.run(dag_id, run_id)``, ``airflow.task(task)`` and ``airflow.log(task)``: pages of
  Airflow's UI, for the macro ``airflow_link``. A ``task`` is the `TaskRun` of a record.
- ``problems``: sentences for the banner above the view; empty unless the view gives them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_movielens.plugin.static_files import fingerprint

if TYPE_CHECKING:
    from fastapi import Request
    from jinja2 import Template

    from airflow_movielens.storage.catalogue import TaskRun

VIEWS = {
    "partitions": "Partitions",
    "rankings": "Rankings",
    "models": "Models",
    "recommendations": "Recommendations",
}

_templates = Environment(
    loader=PackageLoader("airflow_movielens.plugin"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compile_templates() -> None:
    """Compile all templates. Done amid the records of a view, it would keep their memory from being freed."""
    for name in _templates.list_templates(extensions=["html"]):
        _templates.get_template(name)


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Return the page of a template.

    Args:
        request: The request.
        template: The name of a file in ``templates/``.
        status: The HTTP status of the response.
        context: What the template shows.
    """
    names = {
        "airflow": AirflowUrls(_airflow_root(request)),
        "current_view": _path(request).strip("/").partition("/")[0],
        "problems": [],
        "static": partial(_static, request),
        "url": partial(page_url, request),
        "views": VIEWS,
    }
    html = _rendered(_templates.get_template(template), names | context)
    # JSON can hold half a surrogate pair, which is no character.
    return HTMLResponse(html.encode(errors="replace"), status)


def _rendered(template: Template, names: dict[str, Any]) -> str:
    """Render a template, and let go of what it shows.

    The macros of a template and its context refer to each other. So the thousands of records that a view shows would
    stay in the API server's memory until the garbage collector finds them, which may be many requests later.
    """
    context = template.new_context(names)
    try:
        return "".join(template.root_render_func(context))
    except Exception:  # noqa: BLE001 - it is raised again
        _templates.handle_exception()  # raises it with the lines of the template
    finally:
        context.parent.clear()
        context.vars.clear()


def page_url(request: Request, path: str = "", **query: Any) -> str:
    """Return the URL of a view, as a path on the server that the browser talks to.

    Args:
        request: The request.
        path: The path below the page's own, not yet quoted.
        query: The query; a list gives a parameter for each item, and None or an empty string none.
    """
    given = {name: value for name, value in query.items() if value is not None and value != ""}
    return f"{_root(request)}/{quote(path, errors='replace')}" + (
        f"?{urlencode(given, doseq=True, errors='replace')}" if given else ""
    )


class AirflowUrls:
    """The addresses of pages of Airflow's UI.

    Args:
        root: The path of Airflow on its server, without a slash at the end.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def dag(self, dag_id: str) -> str:
        """Return the page of a Dag."""
        return f"{self._root}/dags/{_quoted(dag_id)}"

    def run(self, dag_id: str, run_id: str) -> str:
        """Return the page of a Dag run."""
        return f"{self.dag(dag_id)}/runs/{_quoted(run_id)}"

    def task(self, task: TaskRun) -> str:
        """Return the page of a task instance, where it can be cleared."""
        mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
        return f"{self.run(task.dag_id, task.run_id)}/tasks/{_quoted(task.task_id)}{mapped}"

    def log(self, task: TaskRun) -> str:
        """Return the log of the try that a record describes."""
        return f"{self.task(task)}?try_number={task.try_number}"


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="replace")


def _static(request: Request, name: str) -> str:
    return page_url(request, f"static/{name}", v=fingerprint(name))


def _root(request: Request) -> str:
    """Return the path of the page on the server, with that of Airflow."""
    root: str = request.scope.get("root_path", "")
    return root


def _airflow_root(request: Request) -> str:
    root: str = request.scope.get("app_root_path", "")
    return root


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(_root(request))
