"""The output of `make up`, and its use; test_waiting.py shows that it restarts components."""

from __future__ import annotations

import re

import requests


def test_the_printed_addresses_and_logins_work(running_stack):
    printed = running_stack.output.read_text()
    airflow = re.search(r"Airflow +(http://\S+)", printed)[1]
    user, password = re.search(r"user (\S+), password (\S+)", printed).groups()
    login, url = re.search(r"curl -u (\S+) '(\S+)'", printed).groups()
    session = requests.Session()
    session.trust_env = False
    assert session.post(f"{airflow}/auth/token", json={"username": user, "password": password}).ok
    nav = [view for view in _views(running_stack.airflow) if view["destination"] == "nav"]
    assert re.search(rf"MovieLens +{airflow}/plugin/(\S+) ", printed)[1] in {view["url_route"] for view in nav}
    assert len(session.get(url, auth=tuple(login.split(":"))).json()["result"]) == 3


def _views(airflow):
    return [view for plugin in airflow.get("/plugins")["plugins"] for view in plugin["external_views"]]
