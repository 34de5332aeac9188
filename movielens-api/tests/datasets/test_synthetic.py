"""Synthetic datasets: the same for the same name, with distributions like those of MovieLens."""

from __future__ import annotations

import subprocess
import sys
from statistics import mean, median

import polars as pl
import pytest

from movielens_api import datasets
from movielens_api.datasets.synthetic import TITLES, Randomness, movies
from movielens_api.errors import StartupError
from movielens_api.table.catalogue import Catalogue


@pytest.fixture(scope="module")
def large() -> Catalogue:
    return datasets.load("synthetic:300000")


def ratings(catalogue: Catalogue) -> pl.DataFrame:
    return catalogue.ratings.window()


@pytest.mark.parametrize("number", [1, 2, 19, 153, 154, 307, 308, 461, 1000, 5000, 12345])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_number_of_valid_ratings(number: int, seed: int) -> None:
    catalogue = datasets.load(f"synthetic:{number}:{seed}")
    rows = ratings(catalogue)
    assert rows.height == number
    assert rows.null_count().sum_horizontal().item() == 0
    assert rows.select("userId", "movieId").is_unique().all()
    assert rows["rating"].is_in([stars / 2 for stars in range(1, 11)]).all()
    assert rows["movieId"].is_in(catalogue.movies["movieId"].implode()).all()
    assert catalogue.movies.null_count().sum_horizontal().item() == 0
    days = catalogue.ratings.days()
    assert days
    assert days[0].year >= 1995
    assert days[1].year <= 2020


def test_the_same_in_another_process() -> None:
    code = (
        "from movielens_api import datasets; c = datasets.load('synthetic:5000:7'); "
        "print(c.ratings.window().write_csv(), c.movies.write_csv())"
    )
    mine = datasets.load("synthetic:5000:7")
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == f"{ratings(mine).write_csv()} {mine.movies.write_csv()}\n"


def test_the_same_ratings_as_in_earlier_versions() -> None:
    # Whoever changes these changes everybody's datasets, and must raise synthetic.VERSION.
    assert ratings(datasets.load("synthetic:1000:1")).head(2).rows() == [
        (293, 5.0, 789960407, 5),
        (187, 3.5, 789960432, 5),
    ]


def test_another_seed_gives_others() -> None:
    first, second = (ratings(datasets.load(f"synthetic:1000:{seed}")) for seed in (1, 2))
    assert not first.equals(second)
    assert ratings(datasets.load("synthetic:1000")).equals(ratings(datasets.load("synthetic:1000:0")))


def test_random_numbers_are_splitmix64() -> None:
    # The generator's published first number for seed 0, as a fraction.
    place = pl.int_range(1, 2)
    numbers = pl.select(Randomness(0).uniform(place, 0)).to_series()
    assert numbers[0] == pytest.approx(0xE220A8397B1DCDAF / 2**64)


def test_random_numbers_are_evenly_and_normally_spread() -> None:
    place = pl.int_range(100_000)
    uniform, normal = pl.select(Randomness(5).uniform(place, 1), n=Randomness(5).normal(place, 2)).get_columns()
    assert uniform.is_between(0, 1, closed="none").all()
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert uniform.std() == pytest.approx(12**-0.5, abs=0.01)
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, abs=0.02)


def test_half_stars_as_in_movielens(large: Catalogue) -> None:
    share = dict(ratings(large)["rating"].value_counts(normalize=True).rows())
    assert max(share, key=share.__getitem__) == 4.0
    assert share[4.0] == pytest.approx(0.265, abs=0.03)
    assert share[0.5] == pytest.approx(0.016, abs=0.01)


def test_a_few_movies_have_most_ratings(large: Catalogue) -> None:
    counts = ratings(large)["movieId"].value_counts().sort("count", descending=True)
    assert counts["count"].head(large.movies.height // 10).sum() > 0.5 * len(large.ratings)
    assert counts["count"][0] < large.users.height
    # Which are popular has nothing to do with the numbers of the movies.
    assert abs(float(counts["movieId"].head(100).mean()) / large.movies.height - 0.5) < 0.15  # type: ignore[arg-type]


def test_a_few_users_have_most_ratings(large: Catalogue) -> None:
    counts = large.users["num_ratings"].to_list()
    assert min(counts) >= 18
    assert median(counts) < 0.6 * mean(counts)
    assert max(counts) > 10 * median(counts)


def test_some_movies_and_users_are_above_others(large: Catalogue) -> None:
    for column in ("movieId", "userId"):
        many = ratings(large).group_by(column).agg(pl.mean("rating"), pl.len()).filter(pl.col("len") >= 100)
        assert float(many["rating"].std()) > 0.25  # type: ignore[arg-type]


def test_time_has_rhythm_and_users_have_sittings(large: Catalogue) -> None:
    moments = ratings(large).with_columns(at=pl.from_epoch("timestamp"))
    weekdays = dict(moments["at"].dt.weekday().value_counts().rows())
    hours = dict(moments["at"].dt.hour().value_counts().rows())
    assert weekdays[7] > weekdays[4]
    assert hours[20] > 2 * hours[7]
    assert moments["at"].dt.year().n_unique() == 25
    gaps = (
        moments.sort("userId", "timestamp").select(pl.col("timestamp").diff().over("userId")).to_series().drop_nulls()
    )
    assert float((gaps < 600).mean()) > 0.8  # type: ignore[arg-type]
    assert float((gaps > 86_400).mean()) > 0.003  # type: ignore[arg-type]


def test_no_two_titles_are_the_same() -> None:
    invented = movies(TITLES + 500, Randomness(0))
    assert invented["title"].is_unique().all()
    assert invented["title"].str.ends_with(" 2").sum() == 500
    genres = invented["genres"].str.split("|")
    assert genres.list.n_unique().equals(genres.list.len())


@pytest.mark.parametrize(
    "name",
    [
        "synthetic",
        "synthetic:",
        "synthetic:0",
        "synthetic:-1",
        "synthetic:1:2:3",
        "synthetic:1e6",
        "synthetic:100000001",
        "synthetic:5:x",
        "synthetic:٣",
    ],
)
def test_not_a_synthetic_dataset(name: str) -> None:
    with pytest.raises(StartupError, match="is not synthetic:N or synthetic:N:SEED with N from 1 to 100,000,000"):
        datasets.load(name)
