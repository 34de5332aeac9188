"""Models in files."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import ModelParameters, load_model, train
from airflow_movielens.recommending.artefacts import map_model, read_header

RATINGS = slow.awkward_ratings()
MODEL = train(RATINGS, ModelParameters(lambda_1=5.0, min_likes=4))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "models" / "model.npz"
    MODEL.save(path)
    return path


def rewritten(path, *, compression=ZIP_STORED, **changes):
    """Change a field of the header of a model's file, as another program would write it."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["header.json"] = json.dumps(json.loads(members["header.json"]) | changes).encode()
    with ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_loaded_model_is_the_one_that_was_saved(saved):
    model = load_model(str(saved))
    assert model.parameters == MODEL.parameters
    assert model.trained_on == MODEL.trained_on
    assert model.recommend(RATINGS, explain=True).equals(MODEL.recommend(RATINGS, explain=True))
    assert model.similar(int(MODEL.catalogue.movies[0])).equals(MODEL.similar(int(MODEL.catalogue.movies[0])))


def assert_answers_like(model, expected):
    assert model.recommend(RATINGS, explain=True).equals(expected.recommend(RATINGS, explain=True))
    for movie in expected.catalogue.movies.tolist():
        assert model.similar(movie).equals(expected.similar(movie))


def test_a_mapped_model_gives_the_same_recommendations(saved):
    model = map_model(str(saved))
    assert not model.matrix.flags.owndata
    assert not model.matrix.flags.writeable
    assert (model.parameters, model.trained_on) == (MODEL.parameters, MODEL.trained_on)
    assert_answers_like(model, MODEL)


@pytest.mark.parametrize("load", [load_model, map_model])
def test_a_model_without_a_catalogue_is_saved_too(load, tmp_path):
    model = train(RATINGS.head(1))
    model.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded.recommend(RATINGS.clear(), users=[1]).equals(model.recommend(RATINGS.clear(), users=[1]))


def test_arrays_are_aligned_so_that_they_can_be_mapped(saved):
    whole = saved.read_bytes()
    for array in (MODEL.matrix, MODEL.catalogue.movies, MODEL.catalogue.trend, MODEL.catalogue.other_movies):
        assert whole.index(array.tobytes()) % 64 == 0


@pytest.mark.parametrize(
    ("compression", "padding"), [(ZIP_DEFLATED, 0), *((ZIP_STORED, number) for number in range(4))]
)
def test_files_of_other_programs_are_mapped_or_read(saved, compression, padding):
    rewritten(saved, compression=compression, package_version="x" * padding)
    model = map_model(saved)
    assert model.matrix.flags.aligned
    assert_answers_like(model, MODEL)


def test_only_the_checksum_of_the_matrix_is_not_verified_by_mapping(saved):
    whole = saved.read_bytes()
    for array, is_seen in ((MODEL.matrix, False), (MODEL.catalogue.trend, True)):
        place = whole.index(array.tobytes()) + 4
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="is damaged"):
            load_model(saved)
        if is_seen:
            with pytest.raises(ValueError, match="is damaged"):
                map_model(saved)
        else:
            assert map_model(saved).matrix.shape == MODEL.matrix.shape


def test_the_header_says_what_the_model_is(saved):
    header = read_header(saved)
    assert header["parameters"]["lambda_1"] == 5.0
    latest = RATINGS.sort("timestamp", "rating").unique(["userId", "movieId"], keep="last")
    assert header["trained_on"] == {
        "ratings": len(latest),
        "users": latest["userId"].n_unique(),
        "first_timestamp": MODEL.trained_on.first_timestamp,
        "last_timestamp": RATINGS["timestamp"].max(),
        "histogram": [latest["rating"].eq(stars / 2).sum() for stars in range(1, 11)],
        "checksum": MODEL.trained_on.checksum,
    }
    assert header["parameter_choice"] is None
    with ZipFile(saved) as archive:
        assert json.loads(archive.read("header.json")) == header
        assert archive.namelist()[0] == "header.json"


def test_the_checksum_of_the_training_is_that_of_the_documented_bytes():
    ratings = RATINGS.with_columns(userId=pl.col("userId") * 37 - 500)
    rows = ratings.sort("timestamp", "rating").unique(["userId", "movieId"], keep="last")
    rows = rows.sort("userId", "timestamp", "movieId").with_columns(group=pl.col("userId") // 100)
    kinds = {"userId": "i", "movieId": "i", "rating": "f", "timestamp": "q"}
    digests = []
    for group in rows.partition_by("group", maintain_order=True):
        values = [struct.pack(f"<{len(group)}{kind}", *group[column]) for column, kind in kinds.items()]
        digests.append(sha256(b"".join(values)).digest())
    assert len(digests) > 10
    assert train(ratings, MODEL.parameters).trained_on.checksum == sha256(b"".join(digests)).hexdigest()


def test_the_checksum_tells_ratings_apart_but_not_their_order():
    def checksum(ratings):
        return train(ratings, MODEL.parameters).trained_on.checksum

    assert checksum(RATINGS.reverse()) == MODEL.trained_on.checksum
    changed = RATINGS.tail(1).with_columns(rating=pl.lit(3.0, pl.Float32))
    assert checksum(pl.concat([RATINGS.head(-1), changed])) != MODEL.trained_on.checksum


def test_numpy_alone_reads_the_arrays(saved):
    with np.load(saved, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["matrix"], MODEL.matrix)
        np.testing.assert_array_equal(arrays["movies"], MODEL.catalogue.movies)


def test_saving_again_replaces_the_file(saved):
    replace(MODEL, parameters=ModelParameters(trend=0.0)).save(saved)
    assert load_model(saved).parameters.trend == 0.0
    assert [path.name for path in saved.parent.iterdir()] == ["model.npz"]


def test_the_same_model_gives_the_same_bytes(saved):
    before = saved.read_bytes()
    with ZipFile(saved) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}
    MODEL.save(saved)
    assert saved.read_bytes() == before


def failure_of(path):
    """Return the error of loading a model, or None if it is loaded as it was saved."""
    try:
        model = load_model(path)
    except ValueError as error:
        return str(error)
    np.testing.assert_array_equal(model.matrix, MODEL.matrix)
    assert model.recommend(RATINGS.head(20)).equals(MODEL.recommend(RATINGS.head(20)))
    return None


@pytest.mark.slow
def test_a_damaged_file_is_refused_wherever_it_is_damaged(saved):
    whole = saved.read_bytes()
    failures = []
    for place in [*range(120), *np.random.default_rng(4).integers(len(whole), size=300).tolist()]:
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        failures.append(failure_of(saved))
    # Nothing reads some bytes, such as times in the archive.
    assert sum(failure is not None for failure in failures) > 300
    assert all(failure.startswith(str(saved)) for failure in failures if failure)


def test_a_truncated_file_is_refused_as_damaged(saved):
    whole = saved.read_bytes()
    for length in (5, 40, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        for load in (load_model, map_model):
            with pytest.raises(ValueError, match=r"model\.npz is damaged \(.*\): save or copy the model again"):
                load(saved)


@pytest.mark.parametrize("content", [b"", b"userId,movieId", b"\x80\x04pickle"])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.npz holds no model: give a file that Model\.save wrote"):
        load_model(path)


def test_arrays_of_others_are_refused(tmp_path):
    np.savez(tmp_path / "model.npz", matrix=MODEL.matrix)
    with pytest.raises(ValueError, match="holds no model"):
        load_model(tmp_path / "model.npz")


def test_a_newer_format_is_refused(saved):
    rewritten(saved, format_version=2, package_version="9.0")
    with pytest.raises(ValueError, match=r"has version 2 of the model format, written by airflow-movielens 9\.0"):
        load_model(saved)
    with pytest.raises(ValueError, match="install a later one"):
        read_header(saved)


def test_arrays_that_do_not_fit_each_other_are_refused(saved):
    arrays = read_header(saved)["arrays"]
    rewritten(saved, arrays=arrays | {"matrix": arrays["matrix"] | {"shape": [1, len(MODEL.matrix) ** 2]}})
    for load in (load_model, map_model):
        with pytest.raises(ValueError, match=r"is damaged \(the shapes of matrix do not fit the movies\)"):
            load(saved)


def test_a_model_holds_no_ratings(saved):
    with ZipFile(saved) as archive:
        names = archive.namelist()
    assert names == [
        "header.json",
        *(f"{name}.npy" for name in ("movies", "trend", "other_movies", "other_trend", "matrix")),
    ]


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "model.npz")
