from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import polars as pl
import pytest
from unit.reading_cases import HEADER, ROWS, TEXTS

from airflow_movielens.ranking import rank_movies_by_rating
from airflow_movielens.ratings.reading import scan_files
from airflow_movielens.ratings.schema import MOVIES, RATINGS
from airflow_movielens.ratings.writing import write_table

GOOD = {"userId": 1, "movieId": 2, "rating": 3.5, "timestamp": 1_000_000_000}
# One value, and the error in every format; None if it is read.
VALUES = [
    ("userId", 7, None),
    ("userId", 10.2, "userId: found '?10.2'?, expected a whole number"),
    ("userId", 10.0, "userId: found '?10.0'?, expected a whole number"),
    ("userId", 2**31, "userId: found 2147483648, expected a whole number"),
    ("userId", 2**70, "userId: found '?1180591620717411303424'?, expected a whole number"),
    ("movieId", True, "movieId: found '?[tT]rue'?, expected a whole number"),
    ("movieId", None, "movieId: found (None|''), expected a whole number"),
    ("rating", 4, None),
    ("rating", 4.4999999, "rating: found 4.4999999, expected 0.5 to 5.0"),
    ("rating", 0, "rating: found 0(.0)?, expected 0.5 to 5.0"),
    ("timestamp", 0, None),
    ("timestamp", -1, "timestamp: found -1, expected whole Unix seconds from 1970 to 9999"),
    ("timestamp", 1_260_759_144_000, "timestamp: found 1260759144000, expected whole Unix seconds"),
    ("timestamp", 1.5, "timestamp: found '?1.5'?, expected whole Unix seconds"),
]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize(("column", "value", "says"), VALUES, ids=str)
def test_a_value_is_exact_or_refused_in_every_format(tmp_path, ending, column, value, says):
    rows = [GOOD, {**GOOD, "movieId": 3, column: value}]
    path = tmp_path / f"r.{ending}"
    if ending == "csv":
        lines = (",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows)
        path.write_text(HEADER + "\n".join(lines) + "\n")
    elif ending == "parquet":
        odd = pl.Series([value, value], dtype=pl.Int128 if type(value) is int and value > 2**64 else None)
        frame = pl.DataFrame(rows[:1] * 2, schema=RATINGS.polars_schema()).with_columns(odd.alias(column))
        frame.write_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if ending == "ndjson" else json.dumps(rows))
    if says is None:
        assert scan_files([path], RATINGS).collect()[column][-1] == value
        return
    with pytest.raises(ValueError, match=rf"r\.{ending}, (row|line) \d: {says}"):
        scan_files([path], RATINGS)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (pl.Series([datetime(2001, 9, 9, 1, 46, 40)]), None),
        (pl.Series([datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)]).dt.convert_time_zone("Asia/Seoul"), None),
        (pl.Series([datetime(2001, 9, 9, 1, 46, 40)], dtype=pl.Datetime("ns")), None),
        (pl.Series([1_000_000_000], dtype=pl.UInt32), None),
        (pl.Series([datetime(2001, 9, 9, 1, 46, 40, 500_000)]), "timestamp: found datetime"),
        (pl.Series([date(2001, 9, 9)]), "timestamp: found datetime.date"),
        (pl.Series(["1000000000"]), "timestamp: found '1000000000'"),
        (pl.Series([Decimal(1_000_000_000)]), "timestamp: found Decimal"),
        (pl.Series([[1]]), "timestamp: found \\[1\\]"),
        (pl.Series([float("nan")]), "timestamp: found nan"),
        (pl.Series([b"1"]), "timestamp: found b'1'"),
    ],
    ids=str,
)  # fmt: skip
def test_timestamps_of_other_types_are_read_from_parquet(tmp_path, values, says):
    pl.DataFrame({**GOOD}).with_columns(values.alias("timestamp")).write_parquet(tmp_path / "r.parquet")
    if says is None:
        assert scan_files([tmp_path / "r.parquet"], RATINGS).collect()["timestamp"].to_list() == [1_000_000_000]
        return
    with pytest.raises(ValueError, match=says):
        scan_files([tmp_path / "r.parquet"], RATINGS)


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: f"{case.ending}-{case.what}")
def test_text_as_people_save_it_is_read_or_refused_with_its_line(tmp_path, case):
    path = tmp_path / f"r.{case.ending}"
    path.write_bytes(case.content)
    if not case.says:
        rows = scan_files([path], RATINGS)
        assert rows.collect().rows() == ROWS
        assert rows.filter(pl.col("movieId") == 10).collect(engine="streaming").rows() == ROWS[1:]
        return
    with pytest.raises(ValueError, match=case.says) as caught:
        scan_files([path], RATINGS)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_irregular_row_in_a_late_block_changes_no_other_row(tmp_path):
    lines = [f"{n},{n},2.5,{n},{'note' * 20_000}" for n in range(1, 100)]  # a block has 4 MB
    lines[70] = '71,71,2.5,71,"a\n8,8,5.0,8,b\nc"'
    (tmp_path / "r.csv").write_text("userId,movieId,rating,timestamp,note\n" + "\n".join(lines))
    assert scan_files([tmp_path / "r.csv"], RATINGS).collect().rows() == [(n, n, 2.5, n) for n in range(1, 100)]
    lines[90] = "91,x,2.5,91,"
    (tmp_path / "r.csv").write_text("userId,movieId,rating,timestamp,note\n" + "\n".join(lines))
    with pytest.raises(ValueError, match="line 94: movieId: found 'x'"):
        scan_files([tmp_path / "r.csv"], RATINGS)


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ('1,"Toy Story (1995)",A\n2,,\n', [(1, "Toy Story (1995)"), (2, None)]),
        ('7,"Good, the Bad",Western\n', [(7, "Good, the Bad")]),
        ('7,"The ""Good""",Western\n', [(7, 'The "Good"')]),
        ("7,Good, the Bad,Western\n", "line 2: found 4 fields, expected 3"),
        ("7,A, with comma\n", "line 2: genres: found ' with comma': a title with a separator in it needs quotes"),
        ("x,A,B\n", "line 2: movieId: found 'x'"),
    ],
)  # fmt: skip
def test_titles_are_read_from_csv(tmp_path, content, result):
    path = tmp_path / "movies.csv"
    path.write_text(f"movieId,title,genres\n{content}")
    if isinstance(result, str):
        with pytest.raises(ValueError, match=result):
            scan_files([path], MOVIES, ["movieId", "title"])
    else:
        assert scan_files([path], MOVIES, ["movieId", "title"]).collect().rows() == result


def test_titles_that_are_lists_or_numbers_are_refused(tmp_path):
    (tmp_path / "m.json").write_text('[{"movieId":1,"title":["A"]}]')
    with pytest.raises(ValueError, match=r"row 1: title: found \['A'\], expected text or null"):
        scan_files([tmp_path / "m.json"], MOVIES, ["movieId", "title"])
    pl.DataFrame({"movieId": [1], "title": [1995]}).write_parquet(tmp_path / "m.parquet")
    with pytest.raises(ValueError, match="row 1: title: found 1995"):
        scan_files([tmp_path / "m.parquet"], MOVIES, ["movieId", "title"])


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst", "json", "json.gz", "ndjson", "parquet"])
def test_a_file_cut_anywhere_is_read_or_refused(tmp_path, ending):
    path = tmp_path / f"r.{ending}"
    write_table(pl.LazyFrame(ROWS, schema=RATINGS.polars_schema(), orient="row"), path)
    whole, said = path.read_bytes(), []
    for size in range(0, len(whole), 1 + len(whole) // 60):
        path.write_bytes(whole[:size])
        try:
            scan_files([path], RATINGS).collect()
        except ValueError as error:
            said.append(str(error))
    assert said
    assert all(str(path) in words for words in said)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("userId", 10.2),
        ("rating", 4.1),
        ("rating", float("nan")),
        ("movieId", True),
        ("timestamp", 1_260_759_144_000),
        ("timestamp", "5"),
        ("timestamp", datetime(2001, 9, 9, 1, 46, 40, 500_000)),
        ("timestamp", datetime(1969, 12, 31, 23, 59, 59)),
    ],
)
def test_dataframes_are_exact_or_refused(kind, column, value):
    with pytest.raises(ValueError, match=f"the ratings have a (column )?{column}"):
        rank_movies_by_rating(kind({**{name: [cell] for name, cell in GOOD.items()}, column: [value]}), 1)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_exact_values_of_other_types_are_ranked(kind):
    start_of_1970 = pd.Timestamp(0, tz="America/New_York")
    later = datetime(2001, 9, 9, 1, 46, 40)
    whole = {"userId": [1, 1], "movieId": [2, 2], "rating": [5, 4], "timestamp": [1, 2]}
    for times in ([1, 2], [datetime(2000, 1, 1), later], [start_of_1970, pd.Timestamp(later, tz="America/New_York")]):
        ranking = rank_movies_by_rating(kind({**whole, "timestamp": times}), 1)
        ranking = ranking.collect() if isinstance(ranking, pl.LazyFrame) else ranking
        assert ranking["avg_rating"].to_list() == [4.0]
