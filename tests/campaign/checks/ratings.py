"""No rating is lost, doubled or invented, and posts are applied one after another."""

from __future__ import annotations

import polars as pl

from tests.campaign.checks.evidence import Evidence
from tests.campaign.plan import COLUMNS, NEVER_POSTED

IDENTITY = ["userId", "movieId", "timestamp"]


def check_served(evidence: Evidence) -> list[str]:
    """Compare the served ratings with those of the dataset and the acknowledged posts."""
    served, expected = evidence.served.select(COLUMNS), evidence.history.rows.select(COLUMNS)
    doubled = len(served) - served.select(IDENTITY).n_unique()
    lost = expected.join(served, on=COLUMNS, how="anti", nulls_equal=True)
    others = served.join(expected, on=COLUMNS, how="anti", nulls_equal=True)
    partial = others.filter(pl.col("userId") >= NEVER_POSTED)
    faults = {
        "are served twice": doubled,
        "of the dataset or acknowledged are not served": len(lost),
        "of posts that were never sent whole are served": len(partial),
        "are served that nobody posted": len(others) - len(partial),
    }
    samples = {len(lost): lost, len(others) - len(partial): others}
    return [f"{count:,} ratings {what}{_sample(samples.get(count))}" for what, count in faults.items() if count]


def _sample(rows: pl.DataFrame | None) -> str:
    return "" if rows is None else f", such as {rows.row(0, named=True)}"


def check_order(evidence: Evidence) -> list[str]:
    """Check that the versions of the posts leave no gap and do not overlap, and that each is acknowledged once."""
    faults, reached = [], 0
    for post in evidence.history.posts:
        which = f"post {post.number} of writer {post.writer}"
        if post.version is None:
            faults.append(f"the snapshot in the response to {which} is unknown")
        elif post.version - post.rows != reached:
            faults.append(f"{which} has the versions after {post.version - post.rows:,}, not after {reached:,}")
        reached = post.version or reached
    again = [key for key, times in evidence.history.times.items() if times > 1]
    posted = {(fact["writer"], fact["number"]) for fact in evidence.facts["posted"]}
    missing = posted - set(evidence.history.times)
    faults += [f"{len(again)} posts were acknowledged more than once to a writer"] if again else []
    faults += [f"{len(missing)} posts were never acknowledged: {sorted(missing)[:3]}"] if missing else []
    return faults
