"""The users file: private, never half-written, and read again when it changes."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from api_testing import Launch, Serving, url_of
from auth_testing import ANN, BEN, add, add_token, ann_and_ben, ask

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.auth.users_file import Users, UsersFile, read
from movielens_api.cli import main
from movielens_api.errors import DamagedUsersError, UserError
from movielens_api.table.catalogue import Catalogue


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text("{}")
    (tmp_path / "users.json").chmod(0o644)
    file = ann_and_ben(tmp_path)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"users.json", "users.lock"}


def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    file = ann_and_ben(tmp_path)
    secret = add_token(file, "ann")
    text = file.path.read_text()
    assert ANN[1] not in text
    assert secret not in text
    assert read(file.path) == file.current()


def test_the_users_are_read_again_only_after_the_file_changes(tmp_path: Path) -> None:
    file = ann_and_ben(tmp_path)
    before = file.current()
    assert file.current() is before
    add(UsersFile(tmp_path), "carl", "some password")
    assert set(file.current().users) == {"ann", "ben", "carl"}


DAMAGES = [
    "",
    "{",
    "[]",
    '{"version":2,"users":{}}',
    '{"users":{"a":{}}}',
    '{"users":{"a:b":{}}}',
    '{"users":{},"x":1}',
    b"\xff",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str | bytes) -> None:
    (tmp_path / "users.json").write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    assert main(["serve", "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"movielens-api: {tmp_path}/users.json is damaged (")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("part", ["password", "sha256"])
def test_an_error_about_damage_quotes_no_secret(tmp_path: Path, part: str) -> None:
    file = ann_and_ben(tmp_path)
    add_token(file, "ann")
    users = json.loads(file.path.read_text())
    ann = users["users"]["ann"]
    (ann if part == "password" else ann["tokens"][0])[part] += "secret"
    file.path.write_text(json.dumps(users))
    with pytest.raises(DamagedUsersError) as raised:
        read(file.path)
    assert part in str(raised.value)
    assert "secret" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_damage_while_running_changes_nothing_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = ann_and_ben(tmp_path)
    before = file.current()
    file.path.write_text("{")
    assert [file.current() for _ in range(3)] == [before] * 3
    [record] = caplog.records
    assert record.getMessage().endswith("the previous users stay valid")
    assert not record.exc_info
    with pytest.raises(DamagedUsersError):
        add(file, "carl", "some password")
    file.path.unlink()
    assert file.current() == Users()


def test_nobody_can_log_in_while_the_file_is_gone(tmp_path: Path, serving: Serving, small: Catalogue) -> None:
    """A data directory that vanishes does not bring back the default login."""
    file = ann_and_ben(tmp_path)
    default = ("movielens", "movielens")
    with serving(create_app(small, DEFAULT, users_file=file)) as server:
        assert [ask(server.url, login).status_code for login in (ANN, default)] == [200, 401]
        file.path.rename(tmp_path / "away")
        assert [ask(server.url, login).status_code for login in (ANN, default)] == [401, 401]
        (tmp_path / "away").rename(file.path)
        assert [ask(server.url, login).status_code for login in (ANN, default)] == [200, 401]
        file.edit(lambda users: users.remove("ann").remove("ben"))
        assert [ask(server.url, login).status_code for login in (ANN, default)] == [401, 200]


@pytest.mark.parametrize("below", ["a file", "a file/deeper"])
def test_an_impossible_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises((UserError, DamagedUsersError), match=r"cannot (read|write)"):
        add(UsersFile(tmp_path / below), *ANN)


ADDING = """
import sys
from pathlib import Path
from auth_testing import add
from movielens_api.auth.users_file import UsersFile

for number in range(int(sys.argv[3])):
    name = f"{sys.argv[2]}{number}"
    add(UsersFile(Path(sys.argv[1])), name, "some password")
    print(name, flush=True)
"""


def adding(folder: Path, prefix: str, count: int) -> subprocess.Popen[str]:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{ADDING}"
    command = [sys.executable, "-c", code, str(folder), prefix, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_edits_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    processes = [adding(tmp_path, prefix, 20) for prefix in "abcd"]
    added = {name for process in processes for name in process.communicate(timeout=60)[0].split()}
    assert len(added) == 80
    assert set(read(tmp_path / "users.json").users) == added


def test_a_kill_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    added: set[str] = set()
    for attempt in "abc":
        process = adding(tmp_path, attempt, 100_000)
        assert process.stdout
        added |= {process.stdout.readline().strip() for _ in range(20)}
        process.send_signal(signal.SIGKILL)
        added |= {line.strip() for line in process.stdout if line.endswith("\n")}
        process.wait()
        users = read(tmp_path / "users.json").users
        assert added <= set(users)
        assert len(users) <= len(added) + len("abc")  # what was written and not yet reported
    add(UsersFile(tmp_path), "last", "some password")
    assert {path.name for path in tmp_path.iterdir()} == {"users.json", "users.lock"}


def test_a_running_server_applies_changes_and_logs_no_secret(launch: Launch, folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    file = ann_and_ben(data)
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--data-dir", str(data))
    url = url_of(process)
    assert ask(url, ("movielens", "movielens")).status_code == 401
    assert ask(url, ANN).status_code == ask(url, BEN).status_code == 200
    secret = add_token(file, "ann")
    assert ask(url, Authorization=f"Bearer {secret}").status_code == 200
    file.edit(lambda users: users.remove("ann"))
    assert ask(url, ANN).status_code == ask(url, Authorization=f"Bearer {secret}").status_code == 401
    file.path.write_text("{")
    assert ask(url, BEN).status_code == 200
    process.terminate()
    output, errors = process.communicate(timeout=30)
    assert errors.count("is damaged") == 1
    assert "Traceback" not in errors
    for hidden in (ANN[1], BEN[1], secret, "scrypt"):
        assert hidden not in output + errors
