"""How pytest-xdist spreads the tests over its processes: a file's tests stay together."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# Its tests share an Airflow database, which takes longer to make than most of them.
TOGETHER = ROOT / "tests/integration"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test a group, by its folder or file, unless it names one itself."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            shared = TOGETHER if item.path.is_relative_to(TOGETHER) else item.path
            item.add_marker(pytest.mark.xdist_group(str(shared.relative_to(ROOT))))
