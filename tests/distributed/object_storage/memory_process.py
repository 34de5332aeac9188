"""The memory that a large file takes: ``python -m distributed.object_storage.memory_process upload|download URL FILE``.

Prints how many MB more memory this process has at most than before.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_movielens.storage.files import local_copy
from airflow_movielens.storage.object_output import ObjectOutput
from airflow_movielens.storage.object_store import object_at


class NoManifest:
    """A manifest that says nothing."""

    def to_json(self) -> str:
        return "{}"


def memory(field: str) -> int:
    # ru_maxrss would include the process that has started this one.
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) // 1024


def main(what: str, url: str, file: Path) -> None:
    target = object_at(url)
    target.fs.exists(target.path)
    before = memory("VmRSS")
    if what == "upload":
        ObjectOutput(url).publish(file, None, NoManifest())
    else:
        local_copy(url, file)
    print(memory("VmHWM") - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
