"""A sample of the rows that a fetch quarantined."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

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
        row: The row as the API sent it, in JSON, shortened if it is long.
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


def read_sample(output: str) -> Sample:
    """Read the first quarantined rows of a fetch, at most `MAX_BYTES`.

    Args:
        output: The path or URL of the fetched file.
    """
    from airflow_movielens.client.errors import MovielensError
    from airflow_movielens.client.fetch.output import QUARANTINE_ENDING

    path = output + QUARANTINE_ENDING
    try:
        return Sample(path, _rows(_beginning(path)))
    except FileNotFoundError:
        return Sample(path, [], f"{path} is gone.")
    except (OSError, MovielensError) as error:
        return Sample(path, [], f"{path} cannot be read: {error}.")
    except ValueError as error:
        return Sample(path, [], f"{path} is damaged: {error}.")


def _beginning(path: str) -> bytes:
    from airflow_movielens.storage.object_store import named_errors, object_at

    local = local_path(path)
    if local is not None:
        with local.open("rb") as file:
            return file.read(MAX_BYTES)
    target = object_at(path)
    with named_errors(path, "read"), target.fs.open(target.path, "rb") as file:
        return bytes(file.read(MAX_BYTES))


def _rows(content: bytes) -> list[QuarantinedRow]:
    lines = content.split(b"\n")[:-1]  # what follows the last line feed is cut off, or nothing
    return [_row(json.loads(line)) for line in lines[:MAX_ROWS]]


def _row(values: Any) -> QuarantinedRow:
    try:
        row = json.dumps(values["row"], ensure_ascii=False)
        short = row if len(row) <= _MAX_CHARACTERS else f"{row[:_MAX_CHARACTERS]}…"
        return QuarantinedRow(values["problem"], values["column"], short, values["url"], values["number"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"a line is not a quarantined row ({error})") from error
