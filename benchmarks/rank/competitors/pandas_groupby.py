"""pandas: ``pandas_groupby unique|exact`` counts ratings or distinct users, and takes the mean."""

from __future__ import annotations

import sys

import pandas as pd

from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, users = sys.argv[1:]
    frame = pd.read_parquet(ratings).astype({"rating": "float64"})
    number = ("userId", "count" if users == "unique" else "nunique")
    frame.groupby("movieId").agg(num_ratings=number, avg_rating=("rating", "mean")).to_csv(output)


if __name__ == "__main__":
    measure(_rank)
