"""Every way of the connection page to define a connection defines the one that the page says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from docs.test_snippets import ROOT, blocks

from airflow_movielens.provider import get_provider_info

PAGE = ROOT / "docs" / "connection.md"
SHELL = blocks(PAGE, "bash")
READ = """
import json
from airflow_movielens.hooks import MovielensHook
from airflow.models import Connection
from airflow.utils.session import create_session

settings = MovielensHook("movielens").client.settings
print(json.dumps([settings.base_url, settings.user, settings.password, settings.page_size]))
with create_session() as session:
    session.query(Connection).filter_by(conn_id="movielens").delete()
"""
SAID = ["https://api.example.com:443/v1", "me", "p@ss/word", 500]


@pytest.fixture(scope="module")
def database():
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture
def read(database, tmp_path):
    """Run lines as a reader's shell does; what the hook makes of the connection then."""
    (tmp_path / "read.py").write_text(READ)
    (tmp_path / "airflow").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m airflow "$@"\n')
    (tmp_path / "airflow").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        # As the API server, which may read the database.
        "_AIRFLOW_PROCESS_CONTEXT": "server",
    }

    def run(lines):
        done = subprocess.run(
            ["sh", "-ec", f'{lines}\n"{sys.executable}" read.py'],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("block", [block for block in SHELL if "SECRETS" not in block])
def test_the_shell_commands_define_it(block, read):
    assert read(block) == SAID


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_the_secrets_backend_reads_the_file(ending, read, tmp_path):
    import yaml

    (written,), (exports,) = blocks(PAGE, "yaml"), [block for block in SHELL if "SECRETS" in block]
    file = tmp_path / f"connections.{ending}"
    file.write_text(written if ending == "yaml" else json.dumps(yaml.safe_load(written)))
    assert read(exports.replace("/etc/airflow/connections.yaml", str(file))) == SAID


def test_the_rest_api_takes_the_body():
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody

    (shown,) = blocks(PAGE, "json")
    sent = ConnectionBody.model_validate_json(shown)
    assert [sent.host, sent.port] == ["https://api.example.com/v1", 443]
    assert [sent.login, sent.password, json.loads(sent.extra or "")["page_size"]] == SAID[1:]


def test_every_field_is_in_the_page():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert [name for name in fields if f"| `{name}` |" not in PAGE.read_text()] == []
