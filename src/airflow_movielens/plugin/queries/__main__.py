"""The process of a query: it reads a request from standard input, and writes an answer to standard output, in JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

from airflow_movielens.plugin.queries.files import QueryFile


def main() -> None:
    """Answer one request."""
    # What libraries print must not mix with the answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = json.load(sys.stdin.buffer)
    # The API server ends this process in time, unless it was itself killed.
    signal.alarm(request["seconds"])
    with answers:
        json.dump(answer(request), answers)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"result": …}``, or ``{"error": …}`` in words if a file is missing or damaged."""
    module, _, name = request["query"].rpartition(".")
    query = getattr(import_module(module), name)
    files = [QueryFile(**file) for file in request["files"]]
    try:
        return {"result": query(files, **request["arguments"])}
    except (OSError, ValueError) as error:
        message = str(error)
        for file in files:
            message = message.replace(file.path, file.name)
        return {"error": message}


if __name__ == "__main__":
    main()
