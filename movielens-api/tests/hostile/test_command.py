"""`movielens-api serve --hostile`, as a process, and the documentation of its profiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests
from api_testing import DOCS, Api, Launch, drained

from movielens_api.cli import main
from movielens_api.hostile import profiles

HERE = Path(__file__)


def test_a_hostile_server_says_so(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--hostile", "clamped-limit, basic", "--dataset", str(folder), "--port", "0")
    assert process.stdout
    warning = [process.stdout.readline() for _ in range(3)][-1]
    assert warning.startswith("Hostile mode (clamped-limit, basic): for tests of clients only.")
    server = Api(drained(process))
    assert server.url.startswith("http://127.0.0.1:")
    response = server.get("/ratings", limit=1000)
    assert response.json()["limit"] == 50
    assert "link" not in response.headers


def test_profiles_change_the_connection_and_the_data(launch: Launch) -> None:
    server = Api(drained(launch("serve", "--hostile", "reset,inserts", "--port", "0")))
    totals = []
    for offset in (0, 100):
        path = f"/ratings?start_date=2015-01-01&limit=100&offset={offset}"
        with pytest.raises(requests.RequestException, match="reset by peer"):
            server.ask(path)
        totals.append(server.ask(path).json()["total"])
    # A client that retries after a reset is in the same pull.
    assert totals[0] < totals[1]


def test_it_leaves_the_store_alone(launch: Launch, folder: Path, tmp_path: Path) -> None:
    options = ("serve", "--dataset", str(folder), "--port", "0", "--data-dir", str(tmp_path / "data"))
    drained(launch(*options))
    for _ in range(2):
        server = Api(drained(launch(*options, "--hostile", "500-bursts")))
        posted = server.post([{"userId": 1, "movieId": 7, "rating": 4.0, "timestamp": 20}])
        assert posted.status_code == 201
        assert [server.ask("/ratings").status_code for _ in range(3)] == [500, 500, 200]
        # Not five: what was posted to the server before is gone.
        assert [server.ask("/ratings?limit=0") for _ in range(3)][-1].json()["total"] == 4


def test_an_unknown_profile_and_workers_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--hostile", "basic,nonsense"]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert "unknown hostile profile 'nonsense'" in errors
    assert all(name in errors for name in profiles())
    assert main(["serve", "--hostile", "basic", "--workers", "2", "--dataset", "nothing"]) == 2
    assert "omit --workers" in capfd.readouterr().err


def test_the_list_explains_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--hostile", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(re.split(r"  +", line, maxsplit=1)) for line in lines] == list(profiles().items())


def test_the_documentation_lists_every_profile() -> None:
    page = (DOCS / "hostile.md").read_text(encoding="utf-8")
    table = re.search(r"\n\| profile \|.*?\n\|---\|---\|\n((?:\|.*\|\n)+)", page)
    assert table
    assert re.findall(r"\| `(.*?)` \| (.*?) \|\n", table[1]) == list(profiles().items())


def test_each_description_is_one_sentence() -> None:
    for name, sentence in profiles().items():
        assert re.fullmatch(r"[A-Z][^\n]*\.", sentence), name


def test_every_profile_is_tested() -> None:
    tests = "".join(path.read_text() for path in HERE.parent.glob("test_*.py") if path != HERE)
    assert [name for name in profiles() if f'"{name}"' not in tests] == []
