"""The page as Airflow's API server serves it, and users of it."""

from __future__ import annotations

import pytest
from integration.page.dag_rights import ANALYST, DagRightsAuthManager
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def auth_manager(airflow):
    """Start the auth manager, as Airflow's API server does. It reads Airflow's database."""
    from airflow.api_fastapi.app import init_auth_manager, purge_cached_app

    purge_cached_app()
    with pytest.MonkeyPatch.context() as environment:
        chosen = f"{DagRightsAuthManager.__module__}.{DagRightsAuthManager.__qualname__}"
        environment.setenv("AIRFLOW__CORE__AUTH_MANAGER", chosen)
        started = init_auth_manager()
    yield started
    purge_cached_app()


@pytest.fixture(scope="session")
def served(auth_manager):
    """Mount the page, as Airflow's API server does."""
    from airflow_movielens.plugin.app import create_app

    return Starlette(routes=[Mount("/movielens", create_app())])


@pytest.fixture
def data_root(tmp_path, monkeypatch):
    """Configure an empty data root."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(folder))
    return folder


@pytest.fixture
def catalogue(data_root):
    """Return the catalogue of the data root, to add records to."""
    from airflow_movielens.storage.catalogue import Catalogue

    return Catalogue(str(data_root))


@pytest.fixture
def log_in(served, auth_manager, data_root):
    """Return a function that opens a browser's session of a user with a role of the simple auth manager, or none."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def client(username, role, **arguments):
        token = auth_manager.generate_jwt(SimpleAuthManagerUser(username=username, role=role))
        return TestClient(served, cookies={"_token": token}, **arguments)

    return client


@pytest.fixture
def page(log_in):
    """Log in as an administrator: ``page.get("/movielens/partitions/")``."""
    return log_in("admin", "ADMIN")


@pytest.fixture
def anonymous(served, data_root):
    """Visit the page without a login."""
    return TestClient(served)


@pytest.fixture
def analyst(log_in):
    """Log in as a user who may read the Dag `06_partitioned` only."""
    return log_in(ANALYST, "VIEWER")


@pytest.fixture
def stranger(log_in):
    """Log in as a user without any right."""
    return log_in("stranger", None)
