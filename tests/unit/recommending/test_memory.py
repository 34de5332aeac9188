"""A container's limit of memory is respected, as the control groups of Linux say it."""

from __future__ import annotations

import pytest

from airflow_movielens.recommending.memory import usable_memory

MACHINE = usable_memory()


def planted(root, groups, limits):
    """Plant the files of control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in groups))
    for path, limit in limits.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{limit}\n")
    return root


def test_a_machine_without_control_groups_has_its_own_memory(tmp_path):
    assert usable_memory(tmp_path) >= MACHINE > 2**26


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        pytest.param(["0::/"], {"sys/fs/cgroup/memory.max": 2**20}, 2**20, id="version 2 in a container"),
        pytest.param(
            ["0::/kube/pod/one"],
            {"sys/fs/cgroup/kube/pod/one/memory.max": "max", "sys/fs/cgroup/kube/memory.max": 2**21},
            2**21,
            id="version 2, limited by a group around it",
        ),
        pytest.param(
            ["12:cpu,cpuacct:/a", "4:memory:/a/b", "0::/"],
            {"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": 2**22},
            2**22,
            id="version 1",
        ),
        pytest.param(
            ["4:memory:/docker/not-mounted-here"],
            {"sys/fs/cgroup/memory/memory.limit_in_bytes": 2**23},
            2**23,
            id="version 1 in a container without a namespace",
        ),
    ],
)
def test_the_lowest_limit_counts(tmp_path, groups, limits, expected):
    assert usable_memory(planted(tmp_path, groups, limits)) == expected


@pytest.mark.parametrize("unlimited", ["max", 2**63 - 4096])
def test_no_limit_is_the_memory_of_the_machine(tmp_path, unlimited):
    files = {"sys/fs/cgroup/memory.max": unlimited, "sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited}
    root = planted(tmp_path, ["4:memory:/", "0::/"], files)
    assert usable_memory(root) == usable_memory(tmp_path / "without")
