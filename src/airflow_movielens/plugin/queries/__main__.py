"""The process of a query: it reads a request from standard input, and writes an answer to standard output, in JSON.

Its arguments are the module with the query, and the bytes of memory that it may reserve.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.queries.files import QueryFile

if TYPE_CHECKING:
    from types import ModuleType

MAX_ANSWER = 16 * 2**20
"""Bytes of an answer: a damaged file may have very long texts, or very many rows of a movie."""


def main() -> None:
    """Answer one request."""
    # What libraries print must not mix with the answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    name, memory = sys.argv[1:]
    limit_memory(int(memory))
    # A crafted file may crash this process as often as somebody loads the page.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module = import_module(name)  # the request may follow later
    request = json.load(sys.stdin.buffer)
    # The API server ends this process in time, unless it was itself killed.
    signal.alarm(request["seconds"])
    text = json.dumps(answer(module, request))
    if len(text) > MAX_ANSWER:
        text = json.dumps({"error": f"it would need {len(text):,} bytes, but a page may have {MAX_ANSWER:,} of a file"})
    with answers:
        answers.write(text)


def limit_memory(size: int) -> None:
    """Let this process reserve no more memory than so many bytes; files that it maps to read them do not count."""
    given = [limit for limit in resource.getrlimit(resource.RLIMIT_DATA) if limit != resource.RLIM_INFINITY]
    most = min([size, *given])
    with suppress(OSError, ValueError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def answer(module: ModuleType, request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"result": …}``, or ``{"error": …}`` in words if a file is missing or damaged."""
    query = getattr(module, request["query"])
    files = [QueryFile(**file) for file in request["files"]]
    try:
        return {"result": query(files, **request["arguments"])}
    except (OSError, RecursionError, ValueError) as error:
        message = str(error)
        for file in files:
            message = message.replace(file.path, file.name)
        return {"error": message}


if __name__ == "__main__":
    main()
