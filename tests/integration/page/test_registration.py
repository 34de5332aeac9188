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
found = [plugin for plugin in get_plugin_info() if plugin["name"] == "movielens"]
page = [name for name in sys.modules if name.startswith("airflow_movielens.plugin.")]
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


def test_the_api_server_builds_the_page_at_its_first_request(airflow):
    code = """
import json, sys
from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient
client = TestClient(create_app(apps="core"))
def built(): return "airflow_movielens.plugin.app" in sys.modules
before = built()
status = client.get("/movielens/").status_code
print(json.dumps([before, status, built()]))
"""
    assert load(code) == [False, 401, True]
