"""The page of windows shows the rows that tests/integration/test_windows.py runs."""

from __future__ import annotations

from pathlib import Path

from integration.timetables import GROUPS, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "windows.md"


def test_the_page_shows_every_row():
    page = PAGE.read_text()
    for name, rows in GROUPS.items():
        assert f"### {name}\n\n{table(rows)}" in page
