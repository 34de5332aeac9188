"""Schemathesis sends requests that the OpenAPI document allows or forbids, and finds no errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from api_testing import Launch, drained
from auth_testing import add_token, ann_and_ben
from recommendation_testing import Arrays, Registry

from movielens_api.auth.users_file import UsersFile

CONFIG = Path(__file__).with_name("schemathesis.toml")


LONG = pytest.param(40, marks=pytest.mark.long)


@pytest.mark.parametrize("examples", [4, LONG])
def test_schemathesis_finds_nothing(launch: Launch, tmp_path: Path, examples: int) -> None:
    said = run_schemathesis(launch, tmp_path, examples)
    [operations] = re.findall(r"Operations: +\d+ selected / (\d+) total", said)
    assert f"Tested: {operations}\n" in said


@pytest.mark.parametrize(
    ("examples", "phases"),
    [(4, "examples"), pytest.param(40, "examples,coverage,fuzzing,stateful", marks=pytest.mark.long)],
)
def test_schemathesis_finds_nothing_in_recommendations(
    launch: Launch, tmp_path: Path, examples: int, phases: str
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.promote(registry.register(Arrays().file()))
    # Apart from the others, because too many wrong passwords are 429.
    recommending = ("--recommendations", str(registry.folder))
    only = ("--include-tag", "recommendations", "--phases", phases)
    said = run_schemathesis(launch, tmp_path, examples, *recommending, only=only)
    assert "Tested: 5\n" in said


def run_schemathesis(launch: Launch, folder: Path, examples: int, *options: str, only: tuple[str, ...] = ()) -> str:
    """Return the output of Schemathesis, which has found nothing."""
    # A server of its own: some operations change what is served.
    ann_and_ben(folder)
    token = add_token(UsersFile(folder), "ann", role="write")
    dataset = ("--dataset", "synthetic:2000", "--data-dir", str(folder))
    url = drained(launch("serve", "--port", "0", *dataset, *options))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)]
    command += ["run", f"{url}/openapi.json", "--checks", "all", *only]
    # Wrong passwords would soon be 429; wrong tokens are not limited.
    command += ["--header", f"Authorization: Bearer {token}"]
    command += ["--generation-deterministic", "--max-examples", str(examples), "--continue-on-failure"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
