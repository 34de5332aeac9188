"""Damaged rows: reported and quarantined; a dataset with too many is refused. All ratings here are invented."""

from __future__ import annotations

import csv
import dataclasses
import io
import random
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from api_testing import Launch

from movielens_api import datasets
from movielens_api.cli import main
from movielens_api.datasets import ratings_file
from movielens_api.datasets.options import Options
from movielens_api.errors import DamagedDatasetError, StartupError

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = "1,7,4.0,86400\n"
BAD_ROWS = [
    ("x,7,4.0,86400", "expected userId"),
    ("0,7,4.0,86400", "expected userId"),
    ("-1,7,4.0,86400", "expected userId"),
    (",7,4.0,86400", "expected userId"),
    ("2147483648,7,4.0,86400", "expected userId"),
    ("", "expected 4 fields, found 1"),
    ("1,1.5,4.0,86400", "expected movieId"),
    ("1,99999999999,4.0,86400", "expected movieId"),
    ("1,7,5.5,86400", "expected rating"),
    ("1,7,0,86400", "expected rating"),
    ("1,7,4.1,86400", "expected rating"),
    ("1,7,nan,86400", "expected rating"),
    ("1,7,inf,86400", "expected rating"),
    ("1,7,,86400", "expected rating"),
    ("1,7,4.0", "expected 4 fields, found 3"),
    ("1,7,4.0,86400,9", "expected 4 fields, found 5"),
    ("1,7,4.0,86400,", "expected 4 fields, found 5"),
    ("1,7,4.0,", "expected timestamp"),
    ("1,7,4.0,-1", "expected timestamp"),
    ("1,7,4.0,2015-01-01", "expected timestamp"),
    ("1,7,4.0,864https://example.org/a?b=c00", "expected timestamp"),
    ("1,7,4.0,1420070400000", "expected timestamp"),
    ('1,"7,4.0,86400', "expected movieId"),
    ("\x00", "expected 4 fields, found 1"),
    ("1,7,4.0,\ufffd", "expected timestamp"),
]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def options(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Options:
    return Options(tmp_path_factory.mktemp("data"), report=said.append)


@pytest.fixture
def reporting(options: Options, said: list[str]) -> tuple[Options, list[str]]:
    return options, said


def tolerating(options: Options, share: float) -> Options:
    return dataclasses.replace(options, max_damaged=share)


def quarantined(options: Options) -> list[tuple[int, str, str]]:
    [file] = (options.data_dir / "quarantine").iterdir()
    with file.open(encoding="utf-8", newline="") as rows:
        return [(int(row["line"]), row["reason"], row["row"]) for row in csv.DictReader(rows)]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_damaged_row_is_quarantined_and_the_rest_loads(
    folder: Path, reporting: tuple[Options, list[str]], row: str, reason: str, end: str
) -> None:
    options, said = reporting
    text = HEADER + GOOD + row + "\n" + "9,9,4.0,86400\n"
    (folder / "ratings.csv").write_text(text.replace("\n", end), encoding="utf-8", newline="")
    catalogue = datasets.load(str(folder), tolerating(options, 0.5))
    assert catalogue.ratings.window().rows() == [(7, 4.0, 86400, 1), (9, 4.0, 86400, 9)]
    [(line, found_reason, found_row)] = quarantined(options)
    assert (line, found_row) == (3, row)
    assert found_reason.startswith(reason)
    [message] = said
    assert f"{folder}/ratings.csv: 1 of 3 rows" in message
    assert f"line 3: {found_reason}, found {row!r}" in message
    assert str(options.data_dir) in message


def test_each_dataset_has_its_own_quarantine(folder: Path, options: Options) -> None:
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    for each in (folder, other):
        (each / "ratings.csv").write_text(HEADER + GOOD + "damaged\n", encoding="utf-8")
        datasets.load(str(each), tolerating(options, 0.5))
    files = {file.name for file in (options.data_dir / "quarantine").iterdir()}
    assert files == {f"{datasets.storage_name(str(each))}-ratings.csv" for each in (folder, other)}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_too_much_damage_stops_the_load_and_names_the_line(
    folder: Path, options: Options, row: str, reason: str
) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + row + "\n" + "9,9,4.0,86400\n", encoding="utf-8")
    with pytest.raises(DamagedDatasetError) as caught:
        datasets.load(str(folder), options)
    message = str(caught.value)
    assert message.startswith(f"{folder}/ratings.csv: 1 of 3 rows are damaged, more than --max-damaged 0.001 allows: ")
    assert f"line 3: {reason}" in message
    assert message.endswith(f"found {row!r}")
    assert not list(options.data_dir.iterdir())


def test_only_the_first_damaged_lines_are_named(folder: Path, options: Options, said: list[str]) -> None:
    bad = "".join(f"1,{movie},9.0,5\n" for movie in range(1, 6))
    (folder / "ratings.csv").write_text(HEADER + bad + GOOD)
    datasets.load(str(folder), tolerating(options, 0.9))
    assert "line 2: " in said[0]
    assert "line 4: " in said[0]
    assert "line 5: " not in said[0]
    assert said[0].endswith("; and 2 more")
    assert [line for line, _, _ in quarantined(options)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(("share", "stops"), [(0, True), (0.24, True), (0.25, False), (1, False)])
def test_the_share_is_of_all_rows(folder: Path, options: Options, share: float, *, stops: bool) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "1,8,4.0,86400\nx\n1,9,4.0,86400\n")
    with pytest.raises(DamagedDatasetError) if stops else nullcontext():
        assert len(datasets.load(str(folder), tolerating(options, share)).ratings) == 3


def test_a_corrected_file_leaves_no_quarantine(folder: Path, options: Options, said: list[str]) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "x\n")
    datasets.load(str(folder), tolerating(options, 0.5))
    (folder / "ratings.csv").write_text(HEADER + GOOD)
    datasets.load(str(folder), options)
    assert len(said) == 1
    assert not list((options.data_dir / "quarantine").iterdir())


def test_without_damage_nothing_is_quarantined(folder: Path, options: Options, said: list[str]) -> None:
    datasets.load(str(folder), options)
    assert not said
    assert not (options.data_dir / "quarantine").exists()


def test_quarantine_that_cannot_be_written(folder: Path, options: Options) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "x\n")
    (options.data_dir / "quarantine").write_text("in the way")
    with pytest.raises(StartupError, match=r"cannot write damaged rows to .*--data-dir"):
        datasets.load(str(folder), tolerating(options, 0.5))


def test_equal_rows_count_once_and_as_damage(folder: Path, options: Options) -> None:
    (folder / "ratings.csv").write_text(HEADER + "x\n" + GOOD + "2,7,4.0,86400\n" + GOOD + "1,8,1.0,86400\n" + GOOD)
    with pytest.raises(DamagedDatasetError, match=r"3 of 6 rows"):
        datasets.load(str(folder), tolerating(options, 0.2))
    catalogue = datasets.load(str(folder), tolerating(options, 0.5))
    assert catalogue.ratings.window().rows() == [(7, 4.0, 86400, 1), (8, 1.0, 86400, 1), (7, 4.0, 86400, 2)]
    repeat = "expected a rating that is not in the file already"
    assert quarantined(options)[1:] == [(5, repeat, "1,7,4.0,86400"), (7, repeat, "1,7,4.0,86400")]


def test_two_ratings_for_one_identity_stop_the_load(folder: Path, options: Options) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "2,7,4.0,86400\n" + "1,7,3.0,86400\n" + GOOD)
    with pytest.raises(DamagedDatasetError, match=r"ratings\.csv: user 1 rated movie 7 more than once at 86400$"):
        datasets.load(str(folder), tolerating(options, 1))


@pytest.mark.parametrize("piece", [1, 13, 40, 200, 1 << 20])
@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_size_find_the_same_as_a_scan_by_line(piece: int, seed: int) -> None:
    chance = random.Random(seed)
    bad = [row for row, _ in BAD_ROWS]
    lines = [
        chance.choice(bad) if chance.random() < 0.2 else f"{chance.randint(1, 9)},{line},3.5,{chance.randint(0, 9**9)}"
        for line in range(1, 60)
    ]
    text = HEADER + "\n".join(lines) + chance.choice(["", "\n"])
    ratings, damage = ratings_file.read(io.BytesIO(text.encode()), "here", piece=piece)
    while not lines[-1]:
        lines.pop()
    numbered = list(enumerate(lines, 2))
    assert damage.total == len(lines)
    assert damage.rows.select("line", "row").rows() == [(n, line) for n, line in numbered if line in bad]
    assert [(u, m, t) for u, m, _, t in ratings.rows()] == [
        (int(u), int(m), int(t)) for u, m, _, t in (line.split(",") for line in lines if line not in bad)
    ]


def test_a_damaged_line_changes_nothing_in_its_neighbours() -> None:
    spellings = [' 1,2,"3.0",4', "1,3,3,5", "+1,4,3e0,6", '"1","5","3.0","7"']
    alone = [ratings_file.read(io.BytesIO(f"{HEADER}{row}\n".encode()), "")[0].rows() for row in spellings]
    together = ratings_file.read(io.BytesIO((HEADER + "\n".join([*spellings, "x"])).encode()), "")[0].rows()
    assert [[row] for row in together] == alone


def test_the_command_says_where_damaged_rows_are(
    launch: Launch, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "ratings.csv").write_text(HEADER + GOOD + "x\n")
    arguments = ["--dataset", str(folder), "--port", "0", "--data-dir", str(tmp_path / "data")]
    # If it did not stop here, it would at the log, and never serve.
    assert main(["serve", *arguments, "--access-log", str(folder)]) == 1
    assert capfd.readouterr().err.count("\n") == 1
    started = launch("serve", *arguments, "--max-damaged", "0.5")
    assert started.stderr
    # On a slow machine, the progress is reported first.
    assert any(f"{tmp_path}/data/quarantine/" in line for line in started.stderr)
    assert started.stdout
    assert started.stdout.readline().startswith("Loaded 1 ratings")


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", "x"])
def test_a_share_is_between_0_and_1(capfd: pytest.CaptureFixture[str], share: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["serve", f"--max-damaged={share}"])
    assert stopped.value.code == 2
    assert "--max-damaged" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("before", "line"), [("", 1), (HEADER, 2), (HEADER + GOOD * 9, 11), (HEADER + GOOD + "\n" * 200_000, 200_003)]
)
def test_a_line_that_is_too_long_is_not_read_to_its_end(before: str, line: int) -> None:
    file = io.BytesIO(before.encode() + b"1" * 5_000_000)
    with pytest.raises(
        DamagedDatasetError, match=rf"here, line {line}: expected one rating, found more than 65,536 bytes"
    ):
        ratings_file.read(file, "here", piece=1 << 16)
    assert file.tell() < 1_000_000


@pytest.mark.parametrize("row", ["", "x", "1,7,4.0,"])
def test_reading_stops_after_a_million_damaged_rows(row: str) -> None:
    file = io.BytesIO((HEADER + f"{row}\n" * 5_000_000 + GOOD).encode())
    with pytest.raises(
        DamagedDatasetError, match=r"here: none of [1-4],\d\d\d,\d\d\d rows is a rating: line 2: expected"
    ):
        ratings_file.read(file, "here", max_damaged=0.5, piece=1 << 20)
    assert file.tell() < (len(row) + 1) * 4_000_000


def test_a_million_damaged_rows_among_more_good_ones_are_tolerated() -> None:
    good = "".join(f"{user},7,4.0,86400\n" for user in range(1, 10_001))
    file = io.BytesIO((HEADER + good * 120 + "x\n" * 1_080_000).encode())
    ratings, damage = ratings_file.read(file, "here", max_damaged=0.5, piece=1 << 20)
    assert (ratings.height, damage.rows.height, damage.total) == (1_200_000, 1_080_000, 2_280_000)
