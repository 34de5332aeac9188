"""The ``movielens`` commands of the docs run as printed, and the page describes every option."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import polars as pl
import pytest
from docs.test_snippets import PAGES, ROOT, blocks

from airflow_movielens.cli import main

MODELS = ["models list", "models promote", "models rollback"]
COMMANDS = ["fetch", "rank", "train", "evaluate", "recommend", "similar", *MODELS]
PAGE = ROOT / "docs" / "cli.md"
SHOWN = [(page, block) for page in PAGES for block in blocks(page, "bash") if "movielens fetch" in block]


@pytest.fixture
def shell(api, tmp_path):
    """Run lines as a reader's shell does, with the tests' API in the environment."""
    command = tmp_path / "bin" / "movielens"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m airflow_movielens "$@"\n')
    command.chmod(0o755)
    ours = {"MOVIELENS_HOST": api.base_url, "MOVIELENS_USER": api.user, "MOVIELENS_PASSWORD": api.password}
    environment = {**os.environ, **ours, "PATH": f"{command.parent}:{os.environ['PATH']}"}

    def run(lines):
        commands = "\n".join(line for line in lines.splitlines() if not line.startswith("export "))
        return subprocess.run(
            ["sh", "-ec", commands], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    return run


@pytest.mark.parametrize(("page", "block"), SHOWN, ids=[page.name for page, _ in SHOWN])
def test_the_commands_run(page, block, shell):
    assert "ratings of [" in shell(block)


def test_the_commands_print_the_output_of_the_page(shell):
    def without_time(text):
        return re.sub(r"\(.* s, .*/s\)", "", text)

    (block,), (said,) = blocks(PAGE, "bash"), blocks(PAGE, "text")
    assert without_time(shell(block)) == without_time(said)


@pytest.mark.slow
def test_the_recommendations_are_those_of_the_page(shell, truth, tmp_path):
    page = ROOT / "docs" / "recommendations.md"
    pl.from_dict({name: truth[name].to_numpy() for name in ("userId", "movieId", "rating", "timestamp")}).write_parquet(
        tmp_path / "ratings.parquet"
    )
    (block,), (said,) = blocks(page, "bash"), blocks(page, "text")
    assert shell(block) == said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_on_the_page(command, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert len(options) >= 2
    assert {option for option in options if f"`{option}`" not in PAGE.read_text()} == set()


def test_every_option_of_the_page_exists(capsys):
    known = set()
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
        known |= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert set(re.findall(r"`(--[a-z-]+)`", PAGE.read_text())) <= known
