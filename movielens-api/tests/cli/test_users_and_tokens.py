"""The commands `users` and `tokens`: what they change, print and refuse."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from api_testing import DOCS, Launch, url_of
from auth_testing import ANN, add, add_token, ask, basic, bearer

from movielens_api.auth.logins import Logins
from movielens_api.auth.users_file import UsersFile, read
from movielens_api.cli import main

Run = Callable[..., tuple[str, str]]
PAGE = (DOCS / "users-and-tokens.md").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, in this process unless it reads its standard input, and return its stdout and stderr."""

    def run(*arguments: str, stdin: bytes | None = None, status: int = 0) -> tuple[str, str]:
        if stdin is not None:
            command = [sys.executable, "-m", "movielens_api", *arguments, "--data-dir", str(tmp_path)]
            done = subprocess.run(command, input=stdin, capture_output=True, check=False)
            assert done.returncode == status
            return done.stdout.decode(), done.stderr.decode()
        capsys.readouterr()
        assert main([*arguments, "--data-dir", str(tmp_path)]) == status
        output, errors = capsys.readouterr()
        return output, errors

    return run


def let_in(folder: Path, header: str) -> str | None:
    import asyncio

    identity = asyncio.run(Logins(None, UsersFile(folder)).identify(header.encode(), "192.0.2.1"))
    return identity and f"{identity.name} {sorted(identity.roles)}"


def test_a_user_from_beginning_to_end(run: Run, tmp_path: Path) -> None:
    output, errors = run("users", "add", "ann", "--role", "write", "--generate")
    password = output.strip()
    assert len(password) == 24
    assert password not in errors
    assert let_in(tmp_path, basic(f"ann:{password}")) == "ann ['read', 'write']"
    run("users", "role", "ann", "read")
    assert let_in(tmp_path, basic(f"ann:{password}")) == "ann ['read']"
    assert run("users", "password", "ann", "--password-stdin", stdin="größer als vorher\n".encode())[0] == ""
    assert let_in(tmp_path, basic(f"ann:{password}")) is None
    assert let_in(tmp_path, basic("ann:größer als vorher")) == "ann ['read']"
    assert "movielens/movielens again" in run("users", "remove", "ann")[1]
    assert let_in(tmp_path, basic("ann:größer als vorher")) is None


def test_a_token_from_beginning_to_end(run: Run, tmp_path: Path) -> None:
    run("users", "add", "ann", "--role", "write", "--generate")
    token = run("tokens", "add", "ann", "--name", "ci", "--role", "write", "--expires", "7")[0].strip()
    assert re.fullmatch(r"mlapi_[\w-]{43}", token)
    assert let_in(tmp_path, bearer(token)["Authorization"]) == "ann ['read', 'write']"
    listed = run("tokens", "list")[0] + run("users", "list")[0]
    assert re.search(r"^ann +ci +write +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d$", listed, re.MULTILINE)
    stored = read(tmp_path / "users.json").users["ann"]
    for secret in (token, token[6:], stored.tokens[0].sha256, stored.password):
        assert secret not in listed
    run("users", "role", "ann", "read")
    assert let_in(tmp_path, bearer(token)["Authorization"]) == "ann ['read']"
    run("tokens", "revoke", "ann", "ci")
    assert let_in(tmp_path, bearer(token)["Authorization"]) is None


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def refused(*arguments: str) -> str:
        before = read(tmp_path / "users.json")
        assert main([*arguments, "--data-dir", str(tmp_path)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("movielens-api: ")
        assert said.err.count("\n") == 1
        assert read(tmp_path / "users.json") == before
        return said.err

    return refused


@pytest.mark.parametrize("name", ["", "a:b", ".ann", "ann ", "größe", "a\nb", "a" * 65])
def test_invalid_names_are_refused(refused: Callable[..., str], name: str) -> None:
    assert "cannot be a user's name: 1 to 64" in refused("users", "add", name, "--role", "read", "--generate")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("users add ann --role read --generate", "already"),
        ("users remove carl", "no user 'carl'"),
        ("users role carl read", "no user 'carl'"),
        ("users password carl --generate", "no user 'carl'"),
        ("tokens add carl --name t", "no user 'carl'"),
        ("tokens add ann --name t", "already has a token 't'"),
        ("tokens add ann --name a:b", "cannot be a token's name"),
        ("tokens add ann --name w --role write", "ann lacks the role write"),
        ("tokens revoke ann x", "no token 'x'"),
        ("users password ann", "no terminal"),
    ],
)
def test_impossible_changes_are_refused(
    refused: Callable[..., str], tmp_path: Path, arguments: str, message: str
) -> None:
    file = UsersFile(tmp_path)
    add(file, *ANN, role="read")
    add_token(file, "ann", "t")
    assert message in refused(*arguments.split())


@pytest.mark.parametrize(
    ("password", "message"),
    [
        (b"seven77\n", "8 to 1,024 characters"),
        (b"x" * 1025, "8 to 1,024 characters"),
        (b"", "8 to 1,024 characters"),
        (b"with\ttabulator\n", "without control characters"),
        (b"movielens\n", "differ from the default password"),
        (b"anne-marie\n", "from the name of the user"),
        (b"not \xff UTF-8\n", "not UTF-8"),
    ],
)
def test_invalid_passwords_are_refused(run: Run, tmp_path: Path, password: bytes, message: str) -> None:
    _, errors = run("users", "add", "anne-marie", "--role", "read", "--password-stdin", stdin=password, status=2)
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "users.json").exists()


@pytest.mark.parametrize(
    ("typed", "status"), [("long enough\nlong enough\n", 0), ("long enough\nother one\n", 2), ("\x03", 2), ("\x04", 2)]
)
def test_the_prompt_asks_twice_and_shows_nothing(tmp_path: Path, typed: str, status: int) -> None:
    arguments = ["users", "add", "ann", "--role", "read", "--data-dir", str(tmp_path)]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "movielens_api", *arguments])
    shown = b""
    for line in typed.splitlines(keepends=True):
        while not shown.endswith(b": "):
            shown += os.read(terminal, 1024)
        os.write(terminal, line.encode())
        shown += os.read(terminal, 1024)
    _, found = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(found) == status
    assert b"long enough" not in shown
    assert let_in(tmp_path, basic("ann:long enough")) == (None if status else "ann ['read']")


def test_adding_many_at_the_same_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "movielens_api", "users", "add", "--generate", "--role", "read"]
    names = [f"user{number}" for number in range(4)]
    processes = [subprocess.Popen([*command, name, "--data-dir", str(tmp_path)]) for name in names]
    assert [process.wait(60) for process in processes] == [0] * len(names)
    assert set(read(tmp_path / "users.json").users) == set(names)


@pytest.mark.parametrize("days", ["0", "-1", "36501", "x"])
def test_invalid_days_are_refused(capsys: pytest.CaptureFixture[str], days: str) -> None:
    with pytest.raises(SystemExit):
        main(["tokens", "add", "ann", "--name", "t", f"--expires={days}"])
    assert "argument --expires" in capsys.readouterr().err


def test_the_commands_load_no_server() -> None:
    code = "import sys\nfrom movielens_api.cli import main\nmain(['users', 'list'])\nprint(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"fastapi", "polars", "uvicorn"} & set(loaded)


def test_the_documented_commands_print_the_documented_output(tmp_path: Path) -> None:
    [block] = re.findall(r"```console\n(\$ movielens-api users.*?)```", PAGE, re.DOTALL)
    (tmp_path / "password.txt").write_text("a password of ben\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = os.environ | {"XDG_DATA_HOME": str(tmp_path), "PATH": path}
    for command, expected in re.findall(r"\$ (.*)\n((?:[^$].*\n)*)", block):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environ, stdout=-1, stderr=subprocess.STDOUT, check=True
        )
        pattern = re.escape(expected).replace("…", r"\S+")
        assert re.fullmatch(pattern, done.stdout.decode()), done.stdout
    assert set(read(tmp_path / "movielens-api" / "users.json").users) == {"ann", "ben"}


@pytest.mark.parametrize(
    "command",
    [
        "users add",
        "users list",
        "users remove",
        "users password",
        "users role",
        "tokens add",
        "tokens list",
        "tokens revoke",
    ],
)
def test_every_command_and_option_is_documented(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert f"`movielens-api {command}" in PAGE
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert option == "--help" or option in PAGE


def test_a_server_in_public_with_users_needs_no_more(
    launch: Launch, folder: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = run("users", "add", "ann", "--role", "read", "--generate")[0].strip()
    options = ["--dataset", str(folder), "--port", "0", "--host", "0.0.0.0", "--data-dir", str(tmp_path)]
    url = url_of(launch("serve", *options)).replace("0.0.0.0", "127.0.0.1")
    assert ask(url, ("ann", password)).status_code == 200
    run("users", "remove", "ann")
    assert ask(url, ("movielens", "movielens")).status_code == 401
    assert ask(url, ("ann", password)).status_code == 401
    # If it did not stop there, it would at the log, and never serve.
    options += ["--access-log", str(tmp_path)]
    for value in ("", "movielens"):
        monkeypatch.setenv("API_USER", value)
        monkeypatch.setenv("API_PASSWORD", value)
        assert "default password" in run("serve", *options, status=2)[1]
