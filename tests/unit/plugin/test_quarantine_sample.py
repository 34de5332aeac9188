"""The first quarantined rows of a fetch."""

from __future__ import annotations

import json
import os

import pytest

from airflow_movielens.plugin.partitions.quarantine import MAX_BYTES, MAX_ROWS, read_sample


def line(number=0, row=None):
    row = {"userId": 1, "movieId": 2, "rating": 4.7, "timestamp": 974678400} if row is None else row
    values = {
        "url": "http://localhost/ratings",
        "number": number,
        "column": "rating",
        "problem": "found 4.7",
        "row": row,
    }
    return json.dumps(values) + "\n"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "day.parquet"


def write(output, text):
    output.with_name(f"{output.name}.quarantine.ndjson").write_text(text)
    return read_sample(str(output), str(output.parent))


def test_rows_with_reason(output):
    sample = write(output, line(7))
    [row] = sample.rows
    assert (row.problem, row.column, row.url, row.number) == ("found 4.7", "rating", "http://localhost/ratings", 7)
    assert row.row == '{"userId": 1, "movieId": 2, "rating": 4.7, "timestamp": 974678400}'
    assert sample.error is None


def test_only_the_beginning_is_read(output):
    long = line(row={"comment": "x" * (MAX_BYTES // 3)})
    sample = write(output, long * 100)
    assert len(sample.rows) == 2
    assert len(sample.rows[0].row) < 400


def test_at_most_some_rows_are_shown(output):
    assert len(write(output, line() * 100).rows) == MAX_ROWS


def test_file_that_is_gone(output):
    sample = read_sample(str(output), str(output.parent))
    assert (sample.rows, sample.error) == ([], f"{output}.quarantine.ndjson does not exist.")


@pytest.mark.parametrize("text", ["nonsense\n", "[]\n", "{}\n", "[" * 5000 + "\n"])
def test_damaged_file(output, text):
    assert "day.parquet.quarantine.ndjson is damaged: " in write(output, text).error


def test_a_row_that_is_longer_than_what_is_read(output):
    sample = write(output, line(row={"comment": "x" * MAX_BYTES}))
    assert (sample.rows, sample.error) == (
        [],
        f"The first row in {output}.quarantine.ndjson is longer than 64 KB, so no row is shown.",
    )


def test_long_texts_are_shortened(output):
    values = {**json.loads(line()), "problem": "p" * 1000, "url": "u" * 1000, "column": 7}
    [row] = write(output, json.dumps(values) + "\n").rows
    assert (len(row.problem), len(row.url), row.column) == (301, 301, "7")


def test_a_pipe_is_not_read(output):
    os.mkfifo(output.with_name(f"{output.name}.quarantine.ndjson"))
    assert read_sample(str(output), str(output.parent)).error.endswith(" does not exist.")


def test_a_file_elsewhere_is_not_read_also_behind_a_link(output, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    write(output, line())
    (root / "day.parquet.quarantine.ndjson").symlink_to(f"{output}.quarantine.ndjson")
    for path in (output, root / "day.parquet", root / ".." / "day.parquet"):
        sample = read_sample(str(path), str(root))
        assert sample.rows == []
        assert sample.error == f"{path}.quarantine.ndjson is not in the data root, so this page does not read it."
