"""Client settings from options and the environment."""

from __future__ import annotations

import argparse
import subprocess

import pytest
from unit.command_line import COMMAND, ROWS, WINDOW, fetch, in_a_terminal
from unit.scripted_server import page_of, serve

from airflow_movielens.cli import main
from airflow_movielens.cli.api_options import add_api_options, api_settings
from airflow_movielens.client import ClientSettings, FatalError


def test_every_option_becomes_a_setting():
    options = {
        "--host": "https://api/v1",
        "--batch-size": "50",
        "--concurrency": "3",
        "--requests-per-second": "2.5",
        "--retries": "7",
        "--format": "ndjson",
        "--ca-file": "ca.pem",
        "--client-certificate": "me.pem",
        "--client-key": "me.key",
        "--max-rows": "1000",
        "--max-seconds": "9.5",
    }
    parser = argparse.ArgumentParser()
    add_api_options(parser)
    parsed = parser.parse_args(["--no-verify-tls", *(word for option in options.items() for word in option)])
    assert api_settings(parsed) == ClientSettings(
        "https://api/v1",
        page_size=50,
        concurrency=3,
        requests_per_second=2.5,
        retries=7,
        data_format="ndjson",
        verify_tls=False,
        ca_file="ca.pem",
        client_certificate="me.pem",
        client_key="me.key",
        max_rows=1000,
        max_seconds=9.5,
    )
    assert api_settings(parser.parse_args([])) == ClientSettings("http://localhost:5000")


def authorization(server):
    return server.requests[0][2].get("Authorization")


def test_a_token_in_the_environment_overrides_its_user_and_a_typed_user_overrides_both(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIELENS_USER", "me")
    monkeypatch.setenv("MOVIELENS_PASSWORD", "pw")
    monkeypatch.setenv("MOVIELENS_TOKEN", "t0ken")
    sent = []
    for options in ([], ["--user", "you"]):
        with serve(lambda _, query, __: page_of(ROWS, query)) as server:
            assert fetch(server, tmp_path / "r.csv", *options) == 0
        sent.append(authorization(server))
    assert sent == ["Bearer t0ken", "Basic eW91OnB3"]


def test_without_a_user_no_credentials_are_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIELENS_PASSWORD", "pw")
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        assert fetch(server, tmp_path / "r.csv") == 0
    assert authorization(server) is None


ADDRESSES = [
    ({"HOST": "127.0.0.1", "PORT": "9"}, [], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "9", "SCHEMA": "https"}, [], "https://127.0.0.1:9/"),
    ({"HOST": "http://127.0.0.1:9/v1"}, [], "http://127.0.0.1:9/v1/"),
    ({"HOST": "nowhere.invalid", "PORT": "7", "SCHEMA": "https"}, ["--host", "127.0.0.1:9"], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "7"}, ["--port", "9"], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "9", "SCHEMA": "https"}, ["--schema", "http"], "http://127.0.0.1:9/"),
]


@pytest.mark.parametrize("case", ADDRESSES)
def test_options_override_the_environment(case, monkeypatch, tmp_path, capsys):
    variables, options, asked = case
    for name, value in variables.items():
        monkeypatch.setenv(f"MOVIELENS_{name}", value)
    assert main(["fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv"), "--retries", "0", *options]) == 75
    assert asked in capsys.readouterr().err


def test_an_unusable_port_in_the_environment_is_reported(monkeypatch, capsys):
    monkeypatch.setenv("MOVIELENS_PORT", "tcp://10.0.0.1:5000")
    assert main(["fetch", *WINDOW, "--output-path", "r.csv"]) == 2
    assert "MOVIELENS_PORT is 'tcp://10.0.0.1:5000'" in capsys.readouterr().err


def _base_url(monkeypatch, options=(), **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parser = argparse.ArgumentParser()
    add_api_options(parser)
    return api_settings(parser.parse_args(options)).base_url


@pytest.mark.parametrize(
    ("options", "host", "url"),
    [
        (["--port", "8080"], "api", "http://api:8080"),
        (["--host", "http://api"], "other", "http://api"),
        ([], "http://api:9000", "http://api:9000"),
    ],
)
def test_the_port_that_kubernetes_sets_is_ignored_if_another_is_given(monkeypatch, options, host, url):
    assert _base_url(monkeypatch, options, MOVIELENS_PORT="tcp://10.0.0.1:5000", MOVIELENS_HOST=host) == url


def test_a_port_in_the_environment_completes_a_full_url(monkeypatch):
    assert _base_url(monkeypatch, MOVIELENS_PORT="9000", MOVIELENS_HOST="http://api") == "http://api:9000"


def test_the_port_that_kubernetes_sets_is_explained(monkeypatch):
    with pytest.raises(FatalError, match="Kubernetes sets it for a service called movielens: give --port"):
        _base_url(monkeypatch, MOVIELENS_PORT="tcp://10.0.0.1:5000", MOVIELENS_HOST="api")


@pytest.mark.slow
def test_a_terminal_prompts_for_a_missing_password(environment, api, tmp_path, monkeypatch):
    monkeypatch.delenv("MOVIELENS_PASSWORD")
    path = str(tmp_path / "r.csv")
    status, shown = in_a_terminal(
        [*COMMAND, "fetch", *WINDOW, "--output-path", path], typed=f"{api.password}\n".encode()
    )
    assert f"Password of {api.user}: " in shown
    assert api.password not in shown
    assert status == 0, shown


@pytest.mark.slow
def test_a_missing_password_without_a_terminal_is_an_error_with_advice(environment, monkeypatch, tmp_path):
    monkeypatch.delenv("MOVIELENS_PASSWORD")
    command = [*COMMAND, "fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv")]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "set MOVIELENS_PASSWORD, or run in a terminal to be prompted" in done.stderr
