"""How pytest-xdist spreads the tests over its processes: tests that share much stay together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

# Their tests share what takes longer to make than most of them: a running Airflow, wheels and an index, a database.
TOGETHER = (
    "tests/e2e/",
    "tests/packaging/",
    "tests/integration/",
    "tests/distributed/celery/",
    "tests/distributed/object_storage/",
)
APART = (
    "tests/e2e/test_demo.py",
    "tests/e2e/test_demo_parts.py",
    "tests/distributed/celery/test_deploy_page.py",
)


class GroupScheduling(LoadScopeScheduling):
    """Send the tests of a group to one process. With pytest 9.2, xdist 3.8 ignores its own mark for groups."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the group of a test: its folder or its file."""
        file = nodeid.partition("::")[0]
        return file if file in APART else next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Use these groups whatever ``--dist`` says."""
    return GroupScheduling(config, log)
