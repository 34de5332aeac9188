"""Files of models: only whole ones of this format are used."""

from __future__ import annotations

import random
from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np
import pytest
from api_testing import damaged
from recommendation_testing import PARAMETERS, Arrays

from movielens_api.recommendations.artefacts import UnusableModelError, open_model

ARRAYS = Arrays()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "the-model.npz"


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UnusableModelError) as refused:
        open_model(path)
    message = str(refused.value)
    assert message.startswith("the-model.npz ")
    assert "\n" not in message
    return message


def test_a_model_is_read_as_it_was_written(path: Path) -> None:
    path.write_bytes(ARRAYS.file())
    model = open_model(path)
    for name, array in ARRAYS.by_name.items():
        np.testing.assert_array_equal(getattr(model, name), array)
    assert (model.decay, model.trend_weight, model.min_likes) == (0.05, 0.6, 5)


def test_the_matrix_is_not_copied_into_memory(path: Path) -> None:
    path.write_bytes(ARRAYS.file())
    model = open_model(path)
    path.unlink()
    assert not model.matrix.flags.owndata
    assert not model.matrix.flags.writeable
    np.testing.assert_array_equal(model.matrix, ARRAYS.by_name["matrix"])


def test_fields_that_later_releases_add_are_ignored(path: Path) -> None:
    path.write_bytes(ARRAYS.file(parameter_choice=None, parameters={**PARAMETERS, "more": 1}))
    assert open_model(path).decay == 0.05


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no model"),
        (b"userId,movieId\n", "holds no model"),
        (b"PK\3\4 and nothing else", "is damaged"),
        (ARRAYS.file(format="something else"), "holds no model"),
        (ARRAYS.file(format_version=2), "has version 2 of the model format, and this server reads version 1: install"),
        (ARRAYS.file(parameters={}), "is damaged"),
        (ARRAYS.file(arrays={}), "is damaged"),
        (ARRAYS.file(ZIP_DEFLATED), "is damaged (movies is compressed)"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(path: Path, content: bytes, said: str) -> None:
    assert said in refusal(path, content)


def test_shapes_that_do_not_fit_are_refused(path: Path) -> None:
    arrays = Arrays()
    arrays.by_name["trend"] = arrays.by_name["trend"][:-1]
    assert "the shapes of trend do not fit the movies" in refusal(path, arrays.file())


@pytest.mark.parametrize("start", [0, 200])
def test_a_damaged_file_is_refused_or_read_as_it_was_written(path: Path, start: int) -> None:
    whole = ARRAYS.file()
    messages = set()
    for seed in range(start, start + 200):
        path.write_bytes(damaged(whole, random.Random(seed)))
        try:
            model = open_model(path)
        except UnusableModelError as error:
            messages.add(str(error))
        else:
            for name, array in ARRAYS.by_name.items():
                np.testing.assert_array_equal(getattr(model, name), array)
    assert any("has another checksum" in message for message in messages)


def test_a_file_that_is_missing_is_not_called_damaged(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_model(path)
