"""The requests on the page about the API's recommendations get the documented responses, from a trained model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import polars as pl
import pytest
import requests
from docs.test_snippets import ROOT

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.registry import ModelRegistry

PAGE = (ROOT / "docs/api/recommendations.md").read_text()
CURL = r"""\$ curl -u movielens:movielens (?:--json '(.*)' )?"http://localhost:5000(\S+)"\n(.*)\n"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory, truth):
    """Return a registry whose champion is the default model of the sample."""
    registry = ModelRegistry(tmp_path_factory.mktemp("models") / "registry")
    version = registry.register(
        train(pl.from_pandas(truth[["userId", "movieId", "rating", "timestamp"]]), ModelParameters()),
        by="tests",
        reason="the sample",
    )
    registry.promote(version, by="tests", reason="the first model")
    return registry


@pytest.fixture(scope="module")
def recommending(registry, tmp_path_factory):
    """Serve the sample and the champion; return the URL."""
    folder = tmp_path_factory.mktemp("recommending")
    command = [sys.executable, "-m", "movielens_api", "serve", "--port", "0", "--access-log", os.devnull]
    command += ["--data-dir", str(folder), "--recommendations", str(registry.folder)]
    log = folder / "log"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        while server.poll() is None and "Listening on" not in log.read_text():
            time.sleep(0.05)
        (url,) = re.findall(r"Listening on (\S+)", log.read_text())
        assert f"Recommendations by model {registry.aliases().champion}.\n" in log.read_text()
        yield url
        server.terminate()


def plain(value):
    """Return a response with its numbers to be compared approximately: the last digits depend on the machine."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return pytest.approx(value, rel=1e-3) if isinstance(value, float) else value


@pytest.mark.parametrize(("body", "path", "said"), re.findall(CURL, PAGE))
def test_curl_prints_the_documented_response(recommending, registry, body, path, said):
    method = "POST" if body else "GET"
    auth = ("movielens", "movielens")
    response = requests.request(method, recommending + path, json=json.loads(body or "null"), auth=auth, timeout=30)
    assert response.headers["Model"] == registry.aliases().champion
    assert response.json() == plain(json.loads(said))


def test_every_curl_is_among_these():
    assert len(re.findall(CURL, PAGE)) == PAGE.count("$ curl") == 3
