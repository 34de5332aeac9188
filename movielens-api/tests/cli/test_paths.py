"""Paths in options and the environment: expanded as expected, or a usage error."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from movielens_api.cli import main
from movielens_api.cli.arguments import add_serve_options
from movielens_api.errors import StartupError
from movielens_api.system.directories import cache_directory, data_directory

OPTIONS = ("--dataset", "--data-dir", "--access-log", "--tls-certificate", "--tls-key", "--tls-key-password-file")


def parsed(option: str, text: str) -> str:
    parser = argparse.ArgumentParser()
    add_serve_options(parser)
    arguments = parser.parse_args([f"{option}={text}"])
    found: str = getattr(arguments, option.removeprefix("--").replace("-", "_"))
    return found


@pytest.mark.parametrize("option", OPTIONS)
def test_a_tilde_is_the_home_directory(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parsed(option, "~/dd") == "/home/me/dd"
    assert parsed(option, "~") == "/home/me"
    for unchanged in ("dd", "./~", "/a/~b", "a b", "-", "/dev/null", "ml-25m", "synthetic:500:3", r"C:\ml", "x$y"):
        assert parsed(option, unchanged) == unchanged


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the path is empty"),
        (" ", "the path is empty"),
        ("file:/data/ml", "is a URL"),
        ("file:data", "is a URL"),
        ("file:///data/ml", "is a URL"),
        ("s3://bucket/ml.zip", "is a URL"),
        ("s3:/bucket/ml.zip", "is a URL"),
        ("https://me:secret@host/ml.zip", "is a URL"),
        ("$HOME/dd", "starts with a variable"),
        ("${HOME}/dd", "starts with a variable"),
        ("%USERPROFILE%/dd", "starts with a variable"),
        ("~nobody-of-this-name/dd", "no such home directory"),
    ],
)
def test_an_invalid_path_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], option: str, text: str, reason: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parsed(option, text)
    message = capsys.readouterr().err.splitlines()[-1]
    assert stopped.value.code == 2
    assert f"argument {option}: " in message
    assert reason in message
    assert "secret" not in message


def test_commands_and_server_use_the_same_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["users", "add", "ann", "--role", "read", "--generate", "--data-dir=~/dd"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["dd"]
    with pytest.raises(SystemExit):
        main(["tokens", "list", "--data-dir="])
    assert "the path is empty" in capsys.readouterr().err


def test_a_missing_home_directory_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    for ask in data_directory, cache_directory:
        with pytest.raises(StartupError, match=r"no home directory .*: set HOME or pass --data-dir"):
            ask({}, "linux")
    assert data_directory({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/movielens-api")
