"""The values of JSON that others may have written."""

from __future__ import annotations

import json

import pytest

from airflow_movielens.ratings.json_values import parse_json


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": 3, "users": [1, 2.5, null, true], "title": "Amélie"}',
        '{"a": Infinity, "b": -Infinity, "c": 1e999}',
        '"half a pair: \\ud800"',
        "123456789012345678901234567890",
        '{"a": 1, "a": 2}',
    ],
)
def test_values_are_those_of_the_standard_library(text):
    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)


def test_half_a_surrogate_pair_may_stand_in_text():
    assert parse_json('"\ud800"') == "\ud800"


@pytest.mark.parametrize("content", [b"", b"{", b'"\xff"', b"[1,]", b"\x00"])
def test_other_content_is_an_error(content):
    with pytest.raises(ValueError, match=r"char \d+|can't decode byte"):
        parse_json(content)


def test_deep_nesting_is_an_error():
    with pytest.raises(ValueError, match="it is nested too deeply"):
        parse_json("[" * 100_000)
