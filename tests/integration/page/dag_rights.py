"""An auth manager with rights on single Dags, which Airflow's simple auth manager does not have."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

ANALYST = "analyst"
READABLE_FOR_ANALYST = "06_partitioned"


class DagRightsAuthManager(SimpleAuthManager):
    """Airflow's simple auth manager, by which one user may read only one Dag."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        allowed = super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        return allowed and (user.username != ANALYST or (details is not None and details.id == READABLE_FOR_ANALYST))
