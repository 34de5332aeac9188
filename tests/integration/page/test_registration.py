"""The plugin as the components of Airflow load it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

LOAD = """
import json, sys
from airflow.plugins_manager import ensure_plugins_loaded, get_plugin_info
ensure_plugins_loaded()
page = [name for name in sys.modules if name.startswith(("airflow_movielens.plugin.", "airflow_movielens.deadlines"))]
found = [plugin for plugin in get_plugin_info() if plugin["name"] == "movielens"]
print(json.dumps([found, page], default=str))
"""


def load(code=LOAD, **settings):
    environment = os.environ | {f"AIRFLOW__MOVIELENS__{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def test_loading_the_plugin_imports_nothing_of_the_page():
    (plugin,), page = load()
    assert {view["destination"] for view in plugin["external_views"]} == {"nav", "dag_run", "task_instance"}
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == ["/movielens"]
    assert page == ["airflow_movielens.plugin.registration"]


def test_the_page_can_be_switched_off():
    (plugin,), _ = load(page="False")
    assert (plugin["external_views"], plugin["fastapi_apps"]) == ([], [])


CREATE = """
import json, sys
from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient
client = TestClient(create_app(apps="core"), raise_server_exceptions=False)
"""


def test_the_api_server_builds_the_page_when_it_starts(airflow):
    code = """
built = "airflow_movielens.plugin.app" in sys.modules
print(json.dumps([built, client.get("/movielens/").status_code]))
"""
    assert load(CREATE + code) == [True, 401]


def test_airflow_works_without_a_page_that_cannot_be_built(airflow):
    broken = """
import sys
sys.modules["airflow_movielens.plugin.security"] = None
"""
    code = """
print(json.dumps([client.get(path).status_code for path in ("/api/v2/version", "/movielens/partitions/")]))
"""
    assert load(broken + CREATE + code) == [200, 500]
