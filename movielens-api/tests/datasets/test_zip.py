"""Zips in GroupLens' format, whole and damaged. All ratings here are invented."""

from __future__ import annotations

import random
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_testing import damaged

from movielens_api import datasets
from movielens_api.datasets.options import Options
from movielens_api.datasets.source import ZipSource
from movielens_api.errors import DamagedDatasetError, StartupError


@contextmanager
def suppress_named(name: str) -> Iterator[list[StartupError]]:
    failed: list[StartupError] = []
    try:
        yield failed
    except StartupError as error:
        failed.append(error)
    assert all(name in str(error) for error in failed)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "ml.zip"


def pack(folder: Path, target: Path, inside: str, *further: str, packing: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(target, "w", packing) as archive:
        for name in ("ratings.csv", "movies.csv"):
            archive.write(folder / name, inside + name)
        for name in further:
            archive.writestr(name, "something else")


@pytest.mark.parametrize("inside", ["", "ml-25m/"])
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_loads_like_its_folder(folder: Path, target: Path, inside: str, packing: int) -> None:
    further = ["__MACOSX/ratings.csv", "ml-25m/old/ratings.csv", "ml-25m/tags.csv"]
    pack(folder, target, inside, *further, packing=packing)
    unpacked, packed = datasets.load(str(folder)), datasets.load(str(target))
    assert packed.ratings.window().equals(unpacked.ratings.window())
    assert packed.movies.equals(unpacked.movies)
    assert packed.name == str(target)


def test_damaged_rows_in_a_zip_are_quarantined(folder: Path, target: Path, tmp_path: Path) -> None:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,7,4.0,86400\n1,8,4.0,https://x\n")
    pack(folder, target, "ml/")
    said: list[str] = []
    assert len(datasets.load(str(target), Options(tmp_path / "data", 0.5, report=said.append)).ratings) == 1
    assert f"{target}, ratings.csv: 1 of 2 rows" in said[0]


@pytest.mark.parametrize(("inside", "missing"), [("a/b/", "ratings"), ("ratings/", "movies")])
def test_a_zip_without_the_files(folder: Path, target: Path, inside: str, missing: str) -> None:
    (folder / "movies.csv").rename(folder / "others.csv")
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(folder / "ratings.csv", f"{inside}ratings.csv")
    with pytest.raises(StartupError, match=rf"ml\.zip has no {missing}\.csv: a dataset is a zip of one folder"):
        datasets.load(str(target))


def test_two_datasets_in_one_zip(folder: Path, target: Path) -> None:
    pack(folder, target, "a/", "b/movies.csv")
    with pytest.raises(StartupError, match=r"ml\.zip has 2 movies\.csv"):
        datasets.load(str(target))


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
def test_any_damage_to_a_zip_is_an_error_or_harmless(folder: Path, target: Path, step: int) -> None:
    pack(folder, target, "ml/")
    whole = target.read_bytes()
    expected = datasets.load(str(target)).ratings.window()
    failures = 0
    for place in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        for content in (damaged, whole[:place]):
            target.write_bytes(content)
            with suppress_named(str(target)) as failed:
                assert datasets.load(str(target)).ratings.window().equals(expected)
            failures += len(failed)
    assert failures > len(whole) / step


def test_a_file_without_a_name_is_ignored(folder: Path, target: Path) -> None:
    pack(folder, target, "ml/", "x")
    content = bytearray(target.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    # The name becomes part of the field after it.
    content[entry + 28], content[entry + 30] = 0, 1
    target.write_bytes(content)
    assert len(datasets.load(str(target)).ratings) == 3


def test_a_file_that_is_not_a_zip_is_refused(target: Path) -> None:
    target.write_text("userId,movieId")
    with pytest.raises(DamagedDatasetError, match=r"ml\.zip.* cannot be unpacked: File is not a zip file"):
        datasets.load(str(target))


UNREADABLE = {
    "a password": (0x1, zipfile.ZIP_DEFLATED, "password required"),
    "Deflate64": (0, 9, "compression .* not supported|compression type 9 .deflate64"),
    "Zstandard": (0, 93, ""),
    "no such method": (0, 99, "not supported|compression type 99"),
    "patched data": (0x20, zipfile.ZIP_DEFLATED, "patched data"),
    "strong encryption": (0x40, zipfile.ZIP_DEFLATED, "strong encryption"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_zips_that_python_cannot_unpack(folder: Path, target: Path, name: str) -> None:
    flags, method, message = UNREADABLE[name]
    pack(folder, target, "ml/")
    content = bytearray(target.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(signature)
        while start >= 0:
            content[start + place] |= flags
            content[start + place + 2 : start + place + 4] = method.to_bytes(2, "little")
            start = content.find(signature, start + 4)
    target.write_bytes(content)
    with pytest.raises(DamagedDatasetError, match=rf"ml\.zip, movies\.csv cannot be unpacked: .*({message})") as caught:
        datasets.load(str(target))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_a_small_zip_with_a_huge_file_is_refused(folder: Path, target: Path, packing: int, name: str) -> None:
    with (folder / name).open("a") as file:
        file.write("1" * 20_000_000)
    pack(folder, target, "ml/", packing=packing)
    with pytest.raises(DamagedDatasetError, match=rf"ml\.zip, {name} has .* bytes and 20,000,\d+ unpacked") as caught:
        datasets.load(str(target))
    assert "pass the folder as --dataset" in str(caught.value)


def test_a_zip_that_understates_a_size_fills_no_memory(target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_BZIP2) as archive, archive.open("ratings.csv", "w") as file:
        for _ in range(190):
            file.write(b"\n" * 1_000_000)
    content = bytearray(target.read_bytes())
    place = content.rfind(b"PK\x01\x02") + 24
    content[place : place + 4] = (1 << 20).to_bytes(4, "little")
    target.write_bytes(content)
    tracemalloc.start()
    with ZipSource(target).open("ratings.csv") as file:
        # Cut off at the size that the zip claims, it has another checksum.
        with pytest.raises(DamagedDatasetError, match="Bad CRC-32"):
            file.read(1 << 25)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000_000


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("times", [30, pytest.param(450, marks=pytest.mark.long)])
def test_zips_damaged_at_many_places(folder: Path, target: Path, packing: int, times: int) -> None:
    chance = random.Random(times)
    rows = "".join(f"{user},{chance.randint(1, 99)},3.5,{chance.randint(1, 9**9)}\n" for user in range(1, 300))
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    pack(folder, target, "ml/", packing=packing)
    whole = target.read_bytes()
    expected = datasets.load(str(target)).ratings.window()
    for _ in range(times):
        target.write_bytes(damaged(whole, chance))
        with suppress_named(str(target)):
            assert datasets.load(str(target)).ratings.window().equals(expected)
