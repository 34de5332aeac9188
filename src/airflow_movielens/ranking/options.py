"""How to rank: the options of a ranking, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from airflow_movielens.ranking.methods import ranking_method
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class RankingOptions:
    """How to rank, checked.

    Attributes:
        method: The name of the ranking method.
        min_ratings: Movies rated by fewer distinct users are left out; None for the method's default.
        by: ``"genre"`` for a ranking of each genre; None for one of all movies.
        as_of: The Unix second as of which to rank: later ratings do not count; None for the last rating.
        unique: Whether no user rated a movie twice, which saves most of the time and memory.
        parameters: Parameters of the method; see `methods`.

    Raises:
        ValueError: The method or a parameter is unknown, or a value is not one of those allowed.
    """

    method: str = "trending"
    min_ratings: int | None = None
    by: Literal["genre"] | None = None
    as_of: int | None = None
    unique: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def compared_columns(self) -> list[str]:
        """The columns of `RANKINGS` that are read of an earlier ranking."""
        return ["genre", "rank", "movieId"] if self.by == "genre" else ["rank", "movieId"]

    def __post_init__(self) -> None:
        method = ranking_method(self.method)
        object.__setattr__(self, "parameters", method.checked(self.parameters))
        if self.min_ratings is None:
            object.__setattr__(self, "min_ratings", method.min_ratings)
        check_min_ratings(self.min_ratings)
        if self.by not in (None, "genre"):
            raise ValueError(f"by is {shown(self.by)}: give 'genre', or None for one ranking of all movies")
        if self.as_of is not None and (isinstance(self.as_of, bool) or not isinstance(self.as_of, Integral)):
            raise ValueError(f"as_of is {shown(self.as_of)}: give a whole number of Unix seconds (UTC)")


def check_files(options: RankingOptions, *, has_movies: bool, has_earlier: bool) -> None:
    """Check that files can be ranked with these options, before any of them is read.

    Args:
        options: How to rank.
        has_movies: Whether there are movies.
        has_earlier: Whether there is an earlier ranking.

    Raises:
        ValueError: A ranking by genre has no movies, or the method ``mean`` is used by genre or for a comparison.
    """
    if options.method == "mean" and (options.by or has_earlier):
        raise ValueError("files of the method mean have no rank: use another method for by and compare_to")
    if options.by == "genre" and not has_movies:
        raise ValueError("a ranking by genre needs movies with the column genres")


def check_min_ratings(min_ratings: Any) -> None:
    """Check the smallest number of ratings.

    Raises:
        ValueError: It is not a whole number of at least 1.
    """
    if isinstance(min_ratings, bool) or not isinstance(min_ratings, Integral) or min_ratings < 1:
        raise ValueError(f"min_ratings is {shown(min_ratings)}: give a whole number of at least 1")
