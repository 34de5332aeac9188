"""A sample of the rows that a fetch quarantined."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from airflow_movielens.plugin.root_files import is_in
from airflow_movielens.ratings.paths import local_path

MAX_BYTES = 64 * 1024
"""At most so much of the file is read."""

MAX_ROWS = 10
"""At most so many rows are shown."""

_MAX_CHARACTERS = 300


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that broke the contract.

    Attributes:
        problem: The reason.
        column: The column that is wrong; empty if the whole row is.
        row: The row as the API sent it, in JSON. Long texts are shortened.
        url: The request whose response held the row.
        number: The position of the row in that response, from 0.
    """

    problem: str
    column: str
    row: str
    url: str
    number: int


@dataclass(frozen=True)
class Sample:
    """The first rows of a file of quarantined rows.

    Attributes:
        path: The path or URL of the file.
        rows: The rows.
        error: Why they cannot be read, as a sentence; None if they can.
    """

    path: str
    rows: list[QuarantinedRow]
    error: str | None = None


def read_sample(output: str, root: str) -> Sample:
    """Read the first quarantined rows of a fetch, at most `MAX_BYTES`.

    Args:
        output: The path or URL of the fetched file.
        root: The data root: files elsewhere are not read.
    """
    from airflow_movielens.client.errors import MovielensError
    from airflow_movielens.client.fetch.output import QUARANTINE_ENDING

    path = output + QUARANTINE_ENDING
    if not is_in(root, path):
        return Sample(path, [], f"{path} is not in the data root, so this page does not read it.")
    try:
        content = _beginning(path)
        if len(content) == MAX_BYTES and b"\n" not in content:
            return Sample(
                path, [], f"The first row in {path} is longer than {MAX_BYTES // 1024} KB, so no row is shown."
            )
        return Sample(path, _rows(content))
    except FileNotFoundError:
        return Sample(path, [], f"{path} does not exist.")
    except (OSError, MovielensError) as error:
        return Sample(path, [], f"{path} cannot be read: {error}.")
    except (RecursionError, ValueError) as error:
        return Sample(path, [], f"{path} is damaged: {error}.")


def _beginning(path: str) -> bytes:
    from airflow_movielens.storage.object_store import named_errors, object_at

    local = local_path(path)
    if local is not None:
        if not local.is_file():  # reading a pipe would never end
            raise FileNotFoundError
        with local.open("rb") as file:
            return file.read(MAX_BYTES)
    target = object_at(path)
    with named_errors(path, "read"), target.fs.open(target.path, "rb") as file:
        return bytes(file.read(MAX_BYTES))


def _rows(content: bytes) -> list[QuarantinedRow]:
    lines = content.split(b"\n")[:-1]  # what follows the last line feed is cut off, or nothing
    return [_row(json.loads(line)) for line in lines[:MAX_ROWS]]


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _row(values: Any) -> QuarantinedRow:
    try:
        row = _shortened(json.dumps(values["row"], ensure_ascii=False))
        problem, column, url = (_shortened(str(values[name])) for name in ("problem", "column", "url"))
        return QuarantinedRow(problem, column, row, url, values["number"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"a line is not a quarantined row ({error})") from error
