"""Schemathesis sends requests that the OpenAPI document allows or forbids, and finds no errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from api_testing import Launch, drained
from auth_testing import add_token, ann_and_ben

from movielens_api.auth.users_file import UsersFile

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.parametrize("examples", [4, pytest.param(40, marks=pytest.mark.long)])
def test_schemathesis_finds_nothing(launch: Launch, tmp_path: Path, examples: int) -> None:
    # A server of its own: some operations change what is served.
    ann_and_ben(tmp_path)
    token = add_token(UsersFile(tmp_path), "ann", role="write")
    url = drained(launch("serve", "--port", "0", "--dataset", "synthetic:2000", "--data-dir", str(tmp_path)))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)]
    command += ["run", f"{url}/openapi.json", "--checks", "all"]
    # Wrong passwords would soon be 429; wrong tokens are not limited.
    command += ["--header", f"Authorization: Bearer {token}"]
    command += ["--generation-deterministic", "--max-examples", str(examples), "--continue-on-failure"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [operations] = re.findall(r"Operations: +\d+ selected / (\d+) total", done.stdout)
    assert f"Tested: {operations}\n" in done.stdout
