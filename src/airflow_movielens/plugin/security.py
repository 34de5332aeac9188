"""Who may see what. Airflow's own dependencies decide, so every auth manager works.

Whoever may see the list of plugins, which Airflow's UI needs to show the page's entry, may see the page. What belongs
to a Dag is shown only to those who may read that Dag.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import Depends, HTTPException, Request

PAGE_ACCESS = Depends(requires_access_view(AccessView.PLUGINS))
"""Anonymous visitors get 401, users without the right to see plugins 403."""
RUN_ACCESS = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
"""Users without the right to read the runs of the path's ``dag_id`` get 403."""
TASK_INSTANCE_ACCESS = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
"""Users without the right to read the task instances of the path's ``dag_id`` get 403."""

_check_dag = requires_access_dag("GET")


class ReadableDags:
    """The ids of the Dags that the user of a request may read. Each id is checked once per request.

    Args:
        request: The request.
        user: Its user.
    """

    def __init__(self, request: Request, user: BaseUser) -> None:
        self._request = request
        self._user = user
        self._checked: dict[str, bool] = {}

    def __contains__(self, dag_id: str) -> bool:
        """Return whether the user may read a Dag, even one that Airflow no longer has."""
        if dag_id not in self._checked:
            self._checked[dag_id] = self._may_read(dag_id)
        return self._checked[dag_id]

    def _may_read(self, dag_id: str) -> bool:
        # Airflow takes the Dag from the request's path.
        request = Request({**self._request.scope, "path_params": {"dag_id": dag_id}, "query_string": b""})
        try:
            _check_dag(request, self._user)
        except HTTPException:
            return False
        return True


def _readable_dags(request: Request, user: GetUserDep) -> ReadableDags:
    # A function: the FastAPI of Airflow 3.1 does not evaluate the annotations of a class.
    return ReadableDags(request, user)


ReadableDagsDep = Annotated[ReadableDags, Depends(_readable_dags)]
