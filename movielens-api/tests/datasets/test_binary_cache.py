"""The second start reads columns instead of parsing files, but only if the result is the same."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_testing import damaged

from movielens_api import datasets
from movielens_api.datasets import binary_cache, synthetic
from movielens_api.datasets.binary_cache import FORMAT, PROGRAM, BinaryCache
from movielens_api.datasets.options import Options
from movielens_api.errors import DamagedDatasetError, StartupError
from movielens_api.table.sorted_run import DTYPES

HEADER = "userId,movieId,rating,timestamp\n"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def options(tmp_path: Path, said: list[str]) -> Options:
    return Options(tmp_path / "data", 0.5, report=said.append)


def states(options: Options) -> list[Path]:
    return sorted((options.data_dir / "cache").iterdir())


def written(options: Options) -> list[tuple[str, int, int]]:
    """Return the cached states with their inodes and times. They change if a dataset is parsed and written again."""
    found = [(path.name, path.stat()) for path in states(options)]
    return [(name, each.st_ino, each.st_mtime_ns) for name, each in found]


def rows(folder: Path, options: Options) -> list[tuple[object, ...]]:
    return datasets.load(str(folder), options).ratings.window().rows()


@pytest.mark.parametrize("kind", ["folder", "zip", "synthetic"])
def test_the_second_start_loads_the_same_without_parsing(folder: Path, options: Options, kind: str) -> None:
    if kind == "zip":
        shutil.make_archive(str(folder / "ml"), "zip", folder)
    dataset = {"folder": str(folder), "zip": str(folder / "ml.zip"), "synthetic": "synthetic:500:3"}[kind]
    first = datasets.load(dataset, options)
    [before] = written(options)
    second = datasets.load(dataset, options)
    assert written(options) == [before]
    assert second.summary() == first.summary()
    assert second.ratings.window().equals(first.ratings.window())
    assert second.movies.equals(first.movies)
    assert second.users.equals(first.users)


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_a_changed_file_is_parsed_again(folder: Path, options: Options, name: str) -> None:
    datasets.load(str(folder), options)
    [before] = written(options)
    found = (folder / name).stat()
    text = (folder / name).read_text().replace("8", "9")
    (folder / name).write_text(text)
    os.utime(folder / name, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    changed = datasets.load(str(folder), options)
    assert written(options) != [before]
    assert 9 in [*changed.movies["movieId"], *changed.ratings.window()["movieId"]]
    assert len(states(options)) == 1


def test_another_folder_of_that_name_is_another_dataset(folder: Path, options: Options) -> None:
    for parent, user in (("a", 5), ("b", 6)):
        shutil.copytree(folder, folder / parent / "ml", ignore=shutil.ignore_patterns("a", "b", "data"))
        (folder / parent / "ml" / "ratings.csv").write_text(f"{HEADER}{user},7,4.0,86400\n")
    for _ in range(2):
        assert rows(folder / "a" / "ml", options) == [(7, 4.0, 86400, 5)]
        assert rows(folder / "b" / "ml", options) == [(7, 4.0, 86400, 6)]
    assert len(states(options)) == 2


def test_another_version_of_the_program_or_of_the_generator_is_not_read(options: Options) -> None:
    loaded = datasets.load("synthetic:50", options)
    name, version = datasets.storage_name("synthetic:50"), synthetic.VERSION
    kept = BinaryCache(options.data_dir, name, version).read("synthetic")
    assert kept
    assert kept[0].ratings.window().equals(loaded.ratings.window())
    others = [BinaryCache(options.data_dir, name, version + 1)]
    others += [
        BinaryCache(options.data_dir, name, version, program) for program in ((FORMAT + 1, PROGRAM[1]), (FORMAT, "0"))
    ]
    assert [other.read("synthetic") for other in others] == [None, None, None]


FILES = ["movies.arrow", "damaged.arrow", "manifest.json", *(f"ratings/{name}.npy" for name in DTYPES),
         "ratings/users.arrow", "ratings/manifest.json"]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
def test_a_damaged_cache_is_ignored(folder: Path, options: Options, file: str, damage: str) -> None:
    expected = rows(folder, options)
    [state] = states(options)
    path = state / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes({"flip": content, "cut": content[: len(content) // 2]}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    assert rows(folder, options) == expected
    [state] = states(options)
    assert rows(folder, options) == expected


def test_damage_is_reported_and_refused_by_the_second_start_too(
    folder: Path, options: Options, said: list[str]
) -> None:
    (folder / "ratings.csv").write_text(f"{HEADER}1,7,4.0,86400\nx\n")
    datasets.load(str(folder), options)
    [before] = written(options)
    shutil.rmtree(options.data_dir / "quarantine")
    datasets.load(str(folder), options)
    assert written(options) == [before]
    assert said[0] == said[1]
    [quarantine] = (options.data_dir / "quarantine").iterdir()
    assert quarantine.read_text() == 'line,reason,row\n3,"expected 4 fields, found 1",x\n'
    with pytest.raises(DamagedDatasetError, match="line 3: expected 4 fields"):
        datasets.load(str(folder), dataclasses.replace(options, max_damaged=0.1))


def test_the_dataset_loads_without_room_for_the_cache(folder: Path, options: Options, said: list[str]) -> None:
    options.data_dir.mkdir()
    (options.data_dir / "cache").write_text("in the way")
    assert len(rows(folder, options)) == 3
    assert said[0].startswith("the next start will take as long as this one")


@pytest.mark.parametrize("room", [0, 300])  # too little for the columns of the ratings, or for what lies around them
def test_a_write_that_fails_leaves_nothing(folder: Path, options: Options, said: list[str], room: int) -> None:
    with largest_file(room):
        assert len(rows(folder, options)) == 3
    assert said[0].startswith("the next start will take as long as this one")
    assert states(options) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as if the disk were full."""
    before, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, limit))


def test_a_folder_that_is_gone_is_not_served_from_the_cache(folder: Path, options: Options) -> None:
    datasets.load(str(folder), options)
    (folder / "movies.csv").unlink()
    with pytest.raises(StartupError, match=r"has no movies\.csv"):
        datasets.load(str(folder), options)


def test_a_flip_anywhere_in_the_cache_is_noticed(folder: Path, options: Options) -> None:
    (folder / "ratings.csv").write_text(f"{HEADER}1,7,4.0,86400\nx\n")
    expected = datasets.load(str(folder), options)
    [state] = states(options)
    chance = random.Random(1)
    cache = binary_cache.BinaryCache(options.data_dir, "", "")
    cache._folder = state
    for file in FILES:
        whole = (state / file).read_bytes()
        for _ in range(30):
            content = damaged(whole, chance)
            (state / file).write_bytes(content)
            if kept := cache.read(""):
                catalogue, damage = kept
                assert damage
                assert (damage.place, damage.total) == (f"{folder}/ratings.csv", 2)
                assert catalogue.ratings.window().equals(expected.ratings.window())
                assert catalogue.movies.equals(expected.movies)
        (state / file).write_bytes(whole)
    assert cache.read("")
