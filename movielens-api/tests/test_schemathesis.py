"""Schemathesis sends requests that the OpenAPI document allows or forbids to the whole server, and finds no errors.

A run of another length, by hand: `SCHEMATHESIS_EXAMPLES=1000 pytest movielens-api/tests/test_schemathesis.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import whole_server_testing
from api_testing import Launch
from whole_server_testing import WholeServer

HERE = Path(__file__).parent
# For each operation. These give about 10,000 test cases.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "500"))
SECONDS = 3_000
# So many that Schemathesis reaches it now and then.
RATE_LIMIT = 150


@pytest.mark.parametrize(
    ("examples", "phases"),
    [(4, "examples,fuzzing"), pytest.param(EXAMPLES, "examples,coverage,fuzzing,stateful", marks=pytest.mark.long)],
)
def test_schemathesis_finds_nothing(launch: Launch, tmp_path: Path, examples: int, phases: str) -> None:
    # A server of its own: some operations change what is served.
    server = whole_server_testing.start(launch, tmp_path, rate_limit=RATE_LIMIT)
    said = run_schemathesis(server, tmp_path, "--max-examples", str(examples), "--phases", phases)
    print(said)
    [operations] = re.findall(r"Operations: +\d+ selected / (\d+) total", said)
    assert f"Tested: {operations}\n" in said
    server.assert_no_failures()
    assert_enough_was_answered(server, examples)


def run_schemathesis(server: WholeServer, folder: Path, *options: str) -> str:
    """Return the output of Schemathesis, which has found nothing."""
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{server.url}/openapi.json", "--checks", "all", "--generation-deterministic"]
    command += ["--continue-on-failure", *options]
    environ = {
        "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
        "LOGINS": json.dumps([(login.header, login.may_write) for login in server.logins]),
        "PYTHONPATH": str(HERE),
    }
    done = subprocess.run(
        command, env=os.environ | environ, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_enough_was_answered(server: WholeServer, examples: int) -> None:
    """Assert, by the access log, that the limits on requests and logins have not refused most of what was sent."""
    requests = list(server.requests())
    answered = [each for each in requests if each.status not in {401, 429}]
    assert len(answered) > len(requests) / 2
    assert len(answered) > 10 * examples
    good = [each for each in answered if each.status < 400]
    assert {each.user for each in good} >= {"ann", "ben"}
    operations = {(each.method, each.path) for each in good}
    assert operations >= {("GET", "/ratings"), ("HEAD", "/ratings"), ("GET", "/movies"), ("POST", "/recommendations")}
    assert {each.user for each in good if (each.method, each.path) == ("POST", "/ratings")} == {"ann"}
