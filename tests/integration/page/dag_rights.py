"""An auth manager with rights on single Dags, which Airflow's simple auth manager does not have."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

ANALYST, ENGINEER = "analyst", "engineer"
READABLE_FOR_ANALYST = "06_partitioned"
READABLE_FOR_ENGINEER = "05_pipeline"
READABLE = {ANALYST: READABLE_FOR_ANALYST, ENGINEER: READABLE_FOR_ENGINEER}


class DagRightsAuthManager(SimpleAuthManager):
    """Airflow's simple auth manager, by which two users may each read only one Dag."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        allowed = super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        only = READABLE.get(user.username)
        return allowed and (only is None or (details is not None and details.id == only))
