"""The client on the real server at its worst: a correct file for every hostile profile, or an error that names it."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass

import pytest
from unit.fetch_runs import PATIENCE, closed_after
from unit.hostile_server import PASSWORD, USER, serving

from airflow_movielens.client import (
    DataError,
    FatalError,
    MovielensClient,
    MovielensError,
    RatingsChangedError,
    RetryableError,
    Window,
)
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from airflow_movielens.client.settings import Tuning

pytestmark = pytest.mark.slow

DAYS = ("2000-11-09", "2000-11-20")
SETTINGS = {"page_size": 250, "read_timeout": 0.8, "total_timeout": 1.0, "connect_timeout": 5.0}
SECRETS = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())


@dataclass(frozen=True)
class Fails:
    """An error that is expected.

    Attributes:
        error: Its very type.
        match: What its message says.
    """

    error: type[MovielensError]
    match: str


THE_TRUTH = None
LIES = Fails(RatingsChangedError, r"announced \d+ ratings but")
EXPECTED = {
    "inserts": THE_TRUTH,
    "deletes": THE_TRUTH,
    "inserts-and-deletes": THE_TRUTH,
    "clamped-limit": THE_TRUTH,
    "rows-out-of-window": Fails(DataError, r"timestamp \d+ lies (outside|in) the window \[2000-11-09, 2000-11-20\)"),
    "repeated-page": THE_TRUTH,
    "empty-page": THE_TRUTH,
    "duplicate-rows": Fails(DataError, "row 2: .* is the same row again"),
    "rows-out-of-order": Fails(DataError, "row 2: .* comes after .*, expected rising order"),
    "off-step-ratings": Fails(DataError, r"column 'rating': found 3\.7\d*, expected 0\.5 to 5\.0 in steps of 0\.5"),
    "nan-ratings": Fails(DataError, "column 'rating': found nan|NaN is not JSON"),
    "null-values": Fails(DataError, "column 'userId': found None"),
    "text-numbers": Fails(DataError, "column 'userId': found '34', expected a whole number"),
    "missing-total": THE_TRUTH,
    "total-too-large": LIES,
    "total-too-small": LIES,
    "basic": THE_TRUTH,
    "410-midway": THE_TRUTH,
    "401-midway": Fails(FatalError, "the API refuses the credentials"),
    "403-without-token": Fails(FatalError, r"the API refuses the credentials.* returned 403: Come with a token\."),
    "429": THE_TRUTH,
    "429-seconds": THE_TRUTH,
    "429-date": THE_TRUTH,
    "500-bursts": THE_TRUTH,
    "redirect-to-other-host": Fails(
        FatalError, "the API redirects to http://localhost:.*, whose host differs .* no credentials were sent there"
    ),
    "redirect-loop": Fails(FatalError, "the API redirects in a loop"),
    "html-page": THE_TRUTH,
    "truncated": THE_TRUTH,
    "wrong-content-type": Fails(DataError, "the API's response is not JSON"),
    "huge-header": Fails(RetryableError, "more than 65536 bytes when reading header line"),
    "gzip-bomb": Fails(DataError, "its Content-Encoding 'gzip' was not requested"),
    "no-answer": THE_TRUTH,
    "slow-headers": THE_TRUTH,
    "slow-body": THE_TRUTH,
    "cut-short": THE_TRUTH,
    "reset": THE_TRUTH,
}
WITH_BASIC = EXPECTED | {"wrong-content-type": THE_TRUTH}
"""Where a server that knows nothing but pages of JSON ends otherwise."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A folder for the servers."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def true_file(servers, tmp_path_factory):
    """Return the file that a correct server's ratings give."""
    output = tmp_path_factory.mktemp("friendly") / "ratings.csv"
    with serving(servers) as server:
        fetch(server, output)
    return output.read_bytes()


def fetch(server, output):
    # A decompression bomb is refused before it fills the memory.
    tuning = Tuning(max_body_bytes=8 * 1024**2)
    with (
        MovielensClient(server.base_url, USER, PASSWORD, tuning=tuning, **SETTINGS) as client,
        closed_after(PATIENCE, client),
    ):
        return fetch_ratings(client, Window.of(*DAYS), LocalOutput(output))


def test_every_profile_has_an_expected_outcome():
    explained = command("movielens_api", "serve", "--hostile", "list").stdout
    assert [line.split()[0] for line in explained.splitlines() if line] == list(EXPECTED)


@pytest.mark.parametrize("profile", EXPECTED)
def test_the_file_is_correct_or_the_error_names_the_problem(profile, servers, true_file, tmp_path, caplog):
    check(servers, [profile], EXPECTED[profile], true_file=true_file, output=tmp_path / "ratings.csv", caplog=caplog)


@pytest.mark.parametrize("profile", [name for name in EXPECTED if name != "basic"])
def test_the_same_holds_where_the_server_knows_only_offsets(profile, servers, true_file, tmp_path, caplog):
    check(
        servers,
        [profile, "basic"],
        WITH_BASIC[profile],
        true_file=true_file,
        output=tmp_path / "ratings.csv",
        caplog=caplog,
    )


def check(servers, profiles, expected, *, true_file, output, caplog):
    caplog.set_level(logging.DEBUG)
    told = ""
    with serving(servers, *profiles) as server:
        if expected is THE_TRUTH:
            assert fetch(server, output).rows == true_file.count(b"\n") - 1
        else:
            with pytest.raises(MovielensError, match=expected.match) as caught:
                fetch(server, output)
            assert caught.type is expected.error
            told = "".join(traceback.format_exception(caught.value))
        assert "sent its credentials to another host" not in server.log.read_text()
    visible = [path.name for path in output.parent.iterdir() if not path.name.startswith(".partial-")]
    if expected is THE_TRUTH:
        assert output.read_bytes() == true_file
        assert sorted(visible) == [".ratings.csv.manifest.json", "ratings.csv"]
    else:
        assert visible == []
    assert not [secret for secret in SECRETS if secret in caplog.text + told]


@pytest.mark.parametrize(
    "case",
    [
        ("429-seconds", [], 0, "ratings of [2000-11-09, 2000-11-20) in "),
        ("nan-ratings", ["--retries", "0"], 1, "movielens fetch: "),
        ("403-without-token", [], 1, "refuses the credentials"),
        ("500-bursts", ["--retries", "0"], 75, "returned 500: Failed on purpose."),
    ],
)
def test_the_exit_status_of_the_command(case, servers, tmp_path):
    profile, options, status, says = case
    output = tmp_path / "ratings.csv"
    window = ["--start-date", DAYS[0], "--end-date", DAYS[1], "--output-path", str(output)]
    with serving(servers, profile) as server:
        done = command("airflow_movielens", "fetch", *window, "--host", server.base_url, "--user", USER, *options)
    assert done.returncode == status, done.stderr
    assert says in done.stdout + done.stderr
    assert output.exists() == (status == 0)
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def command(*arguments):
    environment = {**os.environ, "MOVIELENS_PASSWORD": PASSWORD}
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
