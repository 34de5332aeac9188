"""Clients of others pull a window exactly while ratings are posted into it; ours pulls one that does not change.

They run in an environment of their own, because their dependencies conflict with those of Airflow.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_testing import Api, Serving

from airflow_movielens.client import MovielensClient
from movielens_api.app import create_app
from movielens_api.auth import Credentials
from movielens_api.datasets import load

CLIENTS = Path(__file__).parent / "clients"
LOCK = Path(__file__).parents[2] / "requirements/clients.lock"
UV = Path(sys.executable).parent / "uv"
WINDOW = ("2000-11-21", "2000-11-22")
FIRST_SECOND, LAST_SECOND = 974_764_800, 974_851_199
PAGE = 100
Row = dict[str, Any]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs of a new environment with dlt, openapi-python-client and mypy."""
    environment = tmp_path_factory.mktemp("clients") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    run(UV, "pip", "install", "--quiet", "--require-hashes", "--python", environment / "bin/python", "-r", LOCK)
    return environment / "bin"


@pytest.fixture(scope="module")
def generated(programs: Path, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a package that was generated from the OpenAPI document without a warning."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_text(api.get("/openapi.json").text, encoding="utf-8")
    options = ["--path", document, "--output-path", folder / "generated", "--meta", "none", "--fail-on-warning"]
    run(programs / "openapi-python-client", "generate", *options, PATH=str(programs))
    return folder


@pytest.fixture
def writable(serving: Serving) -> Iterator[Api]:
    """A server with the sample, to which a test may post."""
    with serving(create_app(load("sample"), Credentials("movielens", "movielens"))) as api:
        yield api


def run(*command: object, **environ: str) -> None:
    done = subprocess.run(
        [str(part) for part in command], env=environ or None, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pull(api: Api, *command: object, **environ: str) -> list[Row]:
    """Run a client that pulls the window, and post to the window before each page except the first."""
    assert api.auth
    arguments = [*command, api.url, *api.auth, *WINDOW, PAGE]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        list(map(str, arguments)), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ
    ) as client:
        assert client.stdin
        assert client.stdout
        assert client.stderr
        rows = []
        for line in client.stdout:
            rows.append(json.loads(line))
            if len(rows) % PAGE == 0:
                rate(api, user=1_000_000 + len(rows))
            # Only now does the client request the next row, and thus the next page.
            client.stdin.write("\n")
            client.stdin.flush()
        assert client.wait() == 0, client.stderr.read()
    return rows


def rate(api: Api, user: int) -> None:
    """Post ratings of a new user at the start, in the middle and at the end of the window."""
    seconds = [FIRST_SECOND, (FIRST_SECOND + LAST_SECOND) // 2, LAST_SECOND]
    ratings = [{"movieId": 1, "rating": 4.0, "timestamp": second, "userId": user} for second in seconds]
    response = api.session.post(f"{api.url}/ratings", json=ratings, auth=api.auth, timeout=30)
    assert response.status_code == 201, response.text


def current(api: Api) -> list[Row]:
    return [
        row
        for page in api.pages(f"/ratings?start_date={WINDOW[0]}&end_date={WINDOW[1]}")
        for row in page.json()["result"]
    ]


@pytest.mark.parametrize("name", ["dlt", "generated"])
def test_a_window_comes_exactly_while_ratings_are_posted_into_it(name, writable, programs, generated, tmp_path):
    before = current(writable)
    environ = {"PYTHONPATH": str(generated), "HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path)}
    rows = pull(writable, programs / "python", CLIENTS / f"pull_with_{name}.py", **environ)
    assert rows == before
    assert len(current(writable)) == len(before) + 3 * (len(before) // PAGE)


def test_the_generated_client_is_typed(programs, generated):
    # Not its client.py, which is the generator's own and has untyped places.
    checked = [CLIENTS / "pull_with_generated.py", generated / "generated/api", generated / "generated/models"]
    options = ["--strict", "--follow-imports", "silent", "--cache-dir", generated / "cache"]
    run(programs / "mypy", *options, *checked, MYPYPATH=str(generated))


def test_our_client_pulls_a_window_with_posted_ratings(writable):
    rate(writable, user=1_000_000)
    with MovielensClient(writable.url, *writable.auth) as client:
        rows = list(client.get_ratings(*WINDOW, PAGE))
    assert rows == current(writable)
    assert sum(row["userId"] == 1_000_000 for row in rows) == 3
