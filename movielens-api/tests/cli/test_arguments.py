"""Arguments: valid ones are used, invalid ones are errors that say what was expected, in one line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from movielens_api import bootstrap
from movielens_api.auth import credentials
from movielens_api.bootstrap import Settings
from movielens_api.cli import execute, main

SERVE = ["serve", "--port", "0"]


def ended(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Run the command; return its status, and the last line that it wrote to standard error."""
    try:
        status: object = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    return status, errors.splitlines()[-1] if errors else ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replay", "x"], "argument --replay: expected a number such as 0.5, found 'x'"),
        (["--replay", "nan"], "argument --replay: expected a number such as 0.5, found 'nan'"),
        (["--replay", "0"], "argument --replay: 0 is not greater than 0"),
        (["--replay", "1e10"], "argument --replay: 1e10 is not greater than 0 and at most"),
        (["--replay-from", "x"], "argument --replay-from: expected a calendar date as YYYY-MM-DD, found 'x'"),
        (["--replay-from", "2015-02-30"], "expected a calendar date as YYYY-MM-DD, found '2015-02-30'"),
        (["--max-damaged", "x"], "argument --max-damaged: expected a number such as 0.5, found 'x'"),
        (["--max-damaged", "1_0"], "argument --max-damaged: expected a number"),
        (["--max-damaged", "1.5"], "argument --max-damaged: 1.5 is not between 0 and 1"),
        (["--port", "\u0661"], "argument --port: expected a whole number, found '\u0661'"),
        (["--port=-1"], "argument --port: expected a whole number, found '-1'"),
        (["--workers", "1.0"], "argument --workers: expected a whole number, found '1.0'"),
        (["--rate-limit", "1e3"], "argument --rate-limit: expected a whole number, found '1e3'"),
        (["--port", "5", "--port", "6"], "argument --port: given twice, with different values"),
        (["--port", "5", "--po=6"], "argument --port: given twice, with different values"),
        (["--user", "a", "--user", "b"], "argument --user: given twice, with different values"),
        (["--password", "secret", "--password", "secret2"], "argument --password: given twice, with different values"),
        (["--dataset", "a", "--dataset", "b"], "argument --dataset: given twice, with different values"),
        (["--user", ""], "argument --user: the value is empty"),
        (["--password="], "argument --password: the value is empty"),
        (["--host="], "argument --host: the value is empty"),
        (["--allowed-host="], "argument --allowed-host: expected a host name without scheme and port, found ''"),
        (["--allowed-host", "a.example:80"], "expected a host name without scheme and port, found 'a.example:80'"),
        (
            ["--allowed-host", "https://a.example"],
            "expected a host name without scheme and port, found 'https://a.exam",
        ),
        (["--allowed-host", "*"], "expected a host name without scheme and port, found '*'"),
        (["--access-log", "a\0b"], r"argument --access-log: 'a\x00b' contains a NUL"),
    ],
)
def test_invalid_options_are_usage_errors(
    capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    status, said = ended(capfd, *(SERVE if "--port" not in arguments[0] else SERVE[:1]), *arguments)
    assert status == 2
    assert message in said
    assert "secret" not in said


def test_the_same_twice_is_no_error_and_days_are_whole(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert ended(capfd, "users", "list", "--data-dir", folder, "--data-dir", folder)[0] == 0
    for days in ("x", "\u0661", "1.5"):
        status, said = ended(capfd, "tokens", "add", "ann", "--name", "n", "--expires", days, "--data-dir", folder)
        assert (status, said.partition("--expires: ")[2]) == (2, f"expected a whole number, found '{days}'")


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ((None, None), {}, None),
        ((None, None), {"API_USER": "", "API_PASSWORD": ""}, None),
        ((None, None), {"API_USER": "you", "API_PASSWORD": "other"}, ("you", "other")),
        (("me", "pssst"), {"API_USER": "you", "API_PASSWORD": "other"}, ("me", "pssst")),
        (("me", None), {"API_USER": "you", "API_PASSWORD": "other"}, ("me", "other")),
        ((None, "pssst"), {"API_USER": "you", "API_PASSWORD": "other"}, ("you", "pssst")),
    ],
)
def test_an_option_takes_precedence_over_its_variable(
    options: tuple[str | None, str | None], environ: dict[str, str], expected: tuple[str, str] | None
) -> None:
    given = credentials.read_credentials(*options, environ)
    assert (given and (given.user, given.password)) == expected


class PanicError(BaseException):
    """An error like those of polars, which are not exceptions."""


@pytest.mark.parametrize("error", [TypeError("no\nsuch thing"), PanicError("no\nsuch thing"), RecursionError("x")])
def test_a_bug_is_one_line_and_a_traceback_on_demand(capfd: pytest.CaptureFixture[str], error: BaseException) -> None:
    def fail(_: object) -> None:
        raise error

    assert execute(argparse.Namespace(run=fail, debug=False)) == 1
    words = f"{type(error).__name__}: {' '.join(str(error).split())}"
    said = f"movielens-api: {words} (a bug; movielens-api --debug COMMAND shows the traceback)\n"
    assert capfd.readouterr().err == said
    assert execute(argparse.Namespace(run=fail, debug=True)) == 1
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["a b", "é", "a\nb", "a'\"$x", "-", os.fsdecode(b"a\xffb")])
def test_a_data_directory_of_any_name(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    dataset = tmp_path / f"ds {name}"
    dataset.mkdir()
    for file in ("ratings.csv", "movies.csv"):
        (folder / file).rename(dataset / file)
    settings = Settings(dataset=str(dataset), access_log="-", data_dir=str(tmp_path / "here" / name))
    for _ in range(2):  # the second time, the binary cache is read
        catalogue = bootstrap.load(settings)
        assert len(catalogue.ratings) == 3
        with (
            bootstrap.open_store(settings, catalogue, own=True) as store,
            bootstrap.application(settings, catalogue, store),
        ):
            pass
    assert ended(capfd, "users", "add", "ann", "--role", "read", "--generate", f"--data-dir=here/{name}")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="other words")
@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_data_directory_that_is_a_file(capfd: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (["users", "list"], ["tokens", "list"], [*SERVE, "--dataset", "synthetic:1"]):
        status, said = ended(capfd, *arguments, f"--data-dir={tmp_path / name}")
        assert (status, said.partition(f"{name}/users.json ")[2]) == (1, "(see --data-dir): Not a directory")
