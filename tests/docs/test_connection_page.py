"""Each way on the connection page to define a connection gives the described one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from docs.test_snippets import ROOT, blocks

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.provider import get_provider_info

PAGE = ROOT / "docs" / "connection.md"
SHELL = blocks(PAGE, "bash")
SAID = ["https://api.example.com:443/v1", "me", "p@ss/word", 500]


# A reader's shell whose command `airflow` records its arguments, and which finally prints its exported variables.
NOTING = """
airflow() {{ printf '%s\\0' "$@" > arguments; }}
{lines}
env -0 > environment
"""
READ = """
import json
from airflow_movielens.hooks import MovielensHook

settings = MovielensHook("movielens").client.settings
print(json.dumps([settings.base_url, settings.user, settings.password.reveal(), settings.page_size]))
"""


@pytest.fixture(scope="module")
def database():
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture
def shell(tmp_path):
    """Run lines as a reader's shell does; return the arguments of `airflow` and the exported variables."""

    def run(lines):
        subprocess.run(["sh", "-ec", NOTING.format(lines=lines)], cwd=tmp_path, check=True)
        noted = tmp_path / "arguments"
        arguments = noted.read_text().split("\0")[:-1] if noted.exists() else []
        exported = (tmp_path / "environment").read_text().split("\0")[:-1]
        return arguments, dict(line.split("=", 1) for line in exported)

    return run


@pytest.fixture
def defined(database, monkeypatch):
    """Define the connection by a command of Airflow or by variables, and return the hook's settings."""
    from airflow.cli.cli_parser import get_parser
    from airflow.models import Connection
    from airflow.utils.session import create_session

    # As the API server, which may read the database.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")

    def read(arguments, exported):
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        if arguments:
            command = get_parser().parse_args(arguments)
            command.func(command)
        settings = MovielensHook("movielens").client.settings
        return [settings.base_url, settings.user, settings.password.reveal(), settings.page_size]

    yield read
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="movielens").delete()


@pytest.mark.parametrize("block", [block for block in SHELL if "SECRETS" not in block])
def test_the_shell_commands_define_the_connection(block, shell, defined):
    arguments, exported = shell(block)
    assert bool(arguments) != ("AIRFLOW_CONN_MOVIELENS" in exported)
    assert defined(arguments, exported) == SAID


# Airflow reads this setting when it is imported, so each file needs its own process.
@pytest.mark.parametrize("ending", ["yaml", pytest.param("json", marks=pytest.mark.long)])
def test_the_secrets_backend_reads_the_file(ending, shell, tmp_path):
    import yaml

    (written,), (exports,) = blocks(PAGE, "yaml"), [block for block in SHELL if "SECRETS" in block]
    file = tmp_path / f"connections.{ending}"
    file.write_text(written if ending == "yaml" else json.dumps(yaml.safe_load(written)))
    _, exported = shell(exports.replace("/etc/airflow/connections.yaml", str(file)))
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, env=exported, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == SAID


def test_the_rest_api_accepts_the_body():
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody

    (shown,) = blocks(PAGE, "json")
    sent = ConnectionBody.model_validate_json(shown)
    assert [sent.host, sent.port] == ["https://api.example.com/v1", 443]
    assert [sent.login, sent.password, json.loads(sent.extra or "")["page_size"]] == SAID[1:]


def test_every_field_is_on_the_page():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert [name for name in fields if f"| `{name}` |" not in PAGE.read_text()] == []
