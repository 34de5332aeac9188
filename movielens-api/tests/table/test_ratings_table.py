"""Tables with posted ratings, compared with a dictionary."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from formats_testing import READERS
from mapping_testing import in_memory

from movielens_api.formats import FORMATS
from movielens_api.landing.chart import ratings_per_year
from movielens_api.table.base_files import DamagedBaseError, open_base, write_base
from movielens_api.table.ratings_table import SCHEMA, RatingsTable

DAY = 86_400
Batch = list[dict[str, float]]
Key = tuple[int, int, int]
# movieId, rating, timestamp, userId
Row = tuple[int, float, int, int]


class Model:
    """Ratings by key, where the last one counts."""

    def __init__(self) -> None:
        self.stars: dict[Key, float] = {}

    def post(self, batch: Batch) -> None:
        for row in batch:
            self.stars[int(row["timestamp"]), int(row["userId"]), int(row["movieId"])] = row["rating"]

    def rows(self) -> list[Row]:
        return [(movie, stars, time, user) for (time, user, movie), stars in sorted(self.stars.items())]


class SmallLayers(RatingsTable):
    """A table in which a few ratings lead to as many layers as millions do otherwise."""

    max_in_top = 4
    growth = 2


def frame(batch: Batch) -> pl.DataFrame:
    return pl.DataFrame(batch, schema=SCHEMA)


def invented(chance: random.Random, number: int, seconds: int) -> Batch:
    """Return ratings within some seconds around a New Year. Fewer seconds give more ties and replacements."""
    middle = 978_307_200
    return [
        {
            "userId": chance.choice([1, 2, 3, 2**31 - 1]),
            "movieId": chance.choice([1, 2, 3, 2**31 - 1]),
            "rating": chance.randint(1, 10) / 2,
            "timestamp": middle + chance.randint(-seconds, seconds),
        }
        for _ in range(number)
    ]


def first_of_each_key(batch: Batch) -> Batch:
    return list({(row["timestamp"], row["userId"], row["movieId"]): row for row in batch}.values())


def midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def compare(table: RatingsTable, rows: list[Row], chance: random.Random) -> None:
    """Compare all results of a table with rows in canonical order."""
    assert len(table) == len(rows)
    assert table.window().rows() == rows
    first = chance.randint(0, len(rows))
    after = first + chance.choice([0, 1, 3, len(rows)])
    assert table.rows(first, after).rows() == rows[first:after]
    assert [row for chunk in table.chunks(first, len(rows), 3) for row in chunk.rows()] == rows[first:]
    start = date(2001, 1, 1) + timedelta(days=chance.randint(-3, 3))
    end = start + timedelta(days=chance.randint(0, 3))
    inside = [row for row in rows if midnight(start) <= row[2] < midnight(end)]
    assert table.window(start, end).rows() == inside
    assert table.window(None, end).rows() == [row for row in rows if row[2] < midnight(end)]
    assert table.window(start, None).rows() == [row for row in rows if row[2] >= midnight(start)]
    assert table.users.rows() == sorted(Counter(row[3] for row in rows).items())
    for user in (1, 3, 4, 2**31 - 1):
        assert table.of_user(user).frame.rows() == [row for row in rows if row[3] == user]
    years = Counter(datetime.fromtimestamp(row[2], UTC).year for row in rows)
    assert ratings_per_year(table) == years
    days = [datetime.fromtimestamp(row[2], UTC).date() for row in rows]
    assert table.days() == ((days[0], days[-1]) if days else None)


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 100))])
def test_any_batches_give_the_same_table_as_a_dictionary(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    seconds = [1, 10, DAY, 400 * DAY][seed % 4]
    model, past = Model(), []
    start = first_of_each_key(invented(chance, chance.choice([0, 1, 50]), seconds))
    model.post(start)
    table = SmallLayers(frame(start))
    for step in range(30):
        batch = invented(chance, chance.choice([0, 1, 1, 2, 5, 20]), seconds)
        model.post(batch)
        table = table.with_ratings(frame(batch))
        past.append((table, model.rows()))
        compare(table, model.rows(), chance)
        if chance.random() < 0.5:
            table = table.folded()
            compare(table, model.rows(), chance)
        if chance.random() < 0.1:
            write_base(table, tmp_path / str(step))
            table = open_base(tmp_path / str(step))
            compare(table, model.rows(), chance)
    for old, rows in past:
        compare(old, rows, chance)


def test_a_rating_before_the_first_and_after_the_last() -> None:
    table = RatingsTable(frame(invented(random.Random(1), 1, 0)))
    early, late = ({"userId": 9, "movieId": 9, "rating": 1.0, "timestamp": time} for time in (0, 253_402_300_799))
    assert table.with_ratings(frame([late, early])).days() == (date(1970, 1, 1), date(9999, 12, 31))
    assert ratings_per_year(table.with_ratings(frame([late, early]))) == {1970: 1, 2001: 1, 9999: 1}


def test_nothing_posted_is_the_same_table_and_a_folded_one_is_folded() -> None:
    table = RatingsTable(frame(invented(random.Random(1), 1, 0)))
    assert table.with_ratings(frame([])) is table
    folded = table.with_ratings(frame(invented(random.Random(2), 9, 9))).folded()
    assert folded.folded() is folded


def test_the_digest_depends_on_the_ratings_and_not_on_their_layers(tmp_path: Path) -> None:
    chance = random.Random(3)
    model, table = Model(), SmallLayers(frame([]))
    for _ in range(20):
        batch = invented(chance, 3, 100)
        model.post(batch)
        table = table.with_ratings(frame(batch))
    rows = [dict(zip(table.window().columns, row, strict=True)) for row in model.rows()]
    assert table.digest() == table.folded().digest() == SmallLayers(frame(rows)).digest()
    write_base(table, tmp_path / "base")
    assert open_base(tmp_path / "base").digest() == table.digest()
    for name in SCHEMA:
        other = [{**rows[0], name: 7}, *rows[1:]]
        assert SmallLayers(frame(other)).digest() != table.digest()


@pytest.mark.parametrize("media_type", FORMATS)
def test_every_format_streams_posted_ratings(media_type: str) -> None:
    chance = random.Random(4)
    table = SmallLayers(frame(first_of_each_key(invented(chance, 50, 1000))))
    for _ in range(20):
        table = table.with_ratings(frame(invented(chance, 5, 1000)))
    chunks = table.chunks(3, len(table) - 3, 7)
    rows = READERS[media_type](b"".join(FORMATS[media_type].stream(chunks)))
    assert rows == table.rows(3, len(table) - 3).select(list(SCHEMA)).to_dicts()


def test_a_missing_value_is_refused() -> None:
    table = RatingsTable(frame([]))
    with pytest.raises(ValueError, match="lacks a value"):
        table.with_ratings(frame([{"userId": 1, "movieId": 7, "timestamp": 5}]))


def test_readers_of_old_and_new_tables_are_not_disturbed_by_posting() -> None:
    chance = random.Random(5)
    current = [RatingsTable(frame(first_of_each_key(invented(chance, 500, 5000))))]
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            table = current[0]
            rows = table.window().rows()
            if len(rows) != len(table) or [(row[2], row[3], row[0]) for row in rows] != sorted(
                {(row[2], row[3], row[0]) for row in rows}
            ):
                wrong.append(len(rows))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(300):
        current[0] = current[0].with_ratings(frame(invented(chance, 20, 5000)))
        current[0] = current[0].folded()
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


@pytest.mark.parametrize("name", ["timestamp.npy", "users.arrow", "manifest.json"])
def test_a_base_that_is_not_as_it_was_written_is_refused(tmp_path: Path, name: str) -> None:
    write_base(RatingsTable(frame(first_of_each_key(invented(random.Random(6), 50, 500)))), tmp_path / "base")
    content = bytearray((tmp_path / "base" / name).read_bytes())
    content[-9] ^= 0x01
    (tmp_path / "base" / name).write_bytes(content)
    with pytest.raises(DamagedBaseError):
        open_base(tmp_path / "base")


def test_a_base_is_never_overwritten(tmp_path: Path) -> None:
    table = RatingsTable(frame(invented(random.Random(7), 1, 1)))
    write_base(table, tmp_path / "base")
    with pytest.raises(OSError, match="base"):
        write_base(table.with_ratings(frame(invented(random.Random(8), 1, 1))), tmp_path / "base")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    assert open_base(tmp_path / "base").digest() == table.digest()


def test_a_base_may_be_deleted_while_it_is_read(tmp_path: Path) -> None:
    table = RatingsTable(frame(first_of_each_key(invented(random.Random(9), 500, 5000))))
    write_base(table, tmp_path / "base")
    opened = open_base(tmp_path / "base")
    for path in (tmp_path / "base").iterdir():
        path.unlink()
    assert opened.window().equals(table.window())


def test_few_chunks_of_a_base_are_in_memory(tmp_path: Path) -> None:
    rows, row_bytes = 1 << 20, 20
    whole = pl.select(userId=1, movieId=2, rating=4.0, timestamp=pl.int_range(rows)).cast(dict(SCHEMA))
    write_base(RatingsTable(whole), tmp_path / "base")
    table = open_base(tmp_path / "base").with_ratings(whole[:1])
    read = [(each["timestamp"].sum(), in_memory(tmp_path)) for each in table.chunks(0, rows, 1 << 14)]
    assert sum(total for total, _ in read) == rows * (rows - 1) // 2
    assert max(size for _, size in read) < rows * row_bytes / 4
    table.rows(0, rows).sum()
    assert in_memory(tmp_path) >= rows * row_bytes
    table.unload()
    assert in_memory(tmp_path) == 0
    assert table.rows(0, rows).select(list(SCHEMA)).equals(whole)


def test_leftovers_of_a_killed_process_are_replaced(tmp_path: Path) -> None:
    left = tmp_path / f".base.{os.getpid()}"
    left.mkdir()
    (left / "rating.npy").touch()
    write_base(RatingsTable(frame([])), tmp_path / "base")
    assert len(open_base(tmp_path / "base")) == 0
    assert not left.exists()
