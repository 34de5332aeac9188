"""The order in which posts were applied, by the versions that their acknowledgements name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from tests.campaign.journal import Fact
from tests.campaign.plan import COLUMNS, SCHEMA, Plan

KEY = ["timestamp", "userId", "movieId"]


@dataclass(frozen=True)
class Post:
    """An acknowledged post.

    Attributes:
        writer: The number of its writer.
        number: Its number among the posts of the writer.
        rows: The number of its ratings.
        version: The version after it; None if the name in its acknowledgement is not that of a version.
        sent: When it was sent first, as a Unix time.
        acknowledged: When it was acknowledged.
    """

    writer: int
    number: int
    rows: int
    version: int | None
    sent: float
    acknowledged: float


@dataclass(frozen=True)
class History:
    """All acknowledged posts, and the ratings before and after them.

    Attributes:
        plan: The plan of the campaign.
        posts: The acknowledged posts by version.
        times: How often each post was acknowledged, by writer and number.
    """

    plan: Plan
    posts: list[Post]
    times: Counter[tuple[int, int]]

    @classmethod
    def of(cls, plan: Plan, posted: list[Fact], acknowledged: list[Fact], versions: dict[str, int]) -> History:
        """Return the history that a journal tells."""
        sent: dict[tuple[int, int], float] = {}
        for fact in posted:
            sent.setdefault((fact["writer"], fact["number"]), fact["at"])
        posts = {
            (fact["writer"], fact["number"]): Post(
                fact["writer"],
                fact["number"],
                fact["rows"],
                versions.get(fact["snapshot"]),
                sent[fact["writer"], fact["number"]],
                fact["at"],
            )
            for fact in acknowledged
        }
        times = Counter((fact["writer"], fact["number"]) for fact in acknowledged)
        return cls(plan, sorted(posts.values(), key=lambda post: post.version or 0), times)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All ratings in canonical order, each with its version and the time when it was sent; 0 if in the dataset."""
        columns = [*COLUMNS, "version", "sent"]
        base = self.plan.dataset().with_columns(version=pl.lit(0, pl.Int64), sent=pl.lit(0.0))
        posted = [
            (*row.values(), (post.version or 0) - post.rows + place, post.sent)
            for post in self.posts
            for place, row in enumerate(self.plan.post(post.writer, post.number), start=1)
        ]
        schema = SCHEMA | {"version": pl.Int64, "sent": pl.Float64}
        return pl.concat([base.select(columns), pl.DataFrame(posted, schema=schema, orient="row")]).sort(KEY)

    @cached_property
    def boundaries(self) -> list[int]:
        """The versions between two posts."""
        return [0, *(post.version for post in self.posts if post.version is not None)]

    def window(self, start: int, end: int) -> pl.DataFrame:
        """Return the rows between two Unix seconds."""
        return self.rows.filter(pl.col("timestamp") >= start, pl.col("timestamp") < end)

    def acknowledged_before(self, time: float) -> int:
        """Return the latest version that was acknowledged before a time."""
        return max((post.version or 0 for post in self.posts if post.acknowledged < time), default=0)
