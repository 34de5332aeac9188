"""The datasets of a data root."""

from __future__ import annotations

from unit.plugin.partition_records import FOLDER, fetch

from airflow_movielens.plugin.partitions.portfolio import Portfolio

WEEK = fetch(days=7, path="/data/models/ratings.parquet", at="2015-03-20T01:00:00Z")


def test_the_first_dataset_is_the_one_with_the_last_fetch_of_a_day():
    older = fetch(path="/data/older/2015-03-07.parquet", at="2015-03-08T00:00:00Z")
    portfolio = Portfolio.of("/data", [older, fetch(), WEEK])
    assert portfolio.dataset(None, []).folder == FOLDER
    assert portfolio.dataset("older", []).folder == "/data/older"
    assert portfolio.dataset("models", []).folder == "/data/models"
    assert portfolio.dataset("nothing", []) is None


def test_without_days_the_first_dataset_is_the_one_with_the_last_fetch():
    assert Portfolio.of("/data", [WEEK]).dataset(None, []).folder == "/data/models"
    assert Portfolio.of("/data", []).dataset(None, []) is None
