"""How many ratings each year has."""

from datetime import MAXYEAR, UTC, date, datetime

from movielens_api.ratings_table import RatingsTable

MOST_YEARS = 60


def ratings_per_year(ratings: RatingsTable) -> dict[int, int]:
    """Count the ratings of every year (UTC) that has any: two binary searches each."""
    counts = {}
    first = 0
    while first < len(ratings):
        year = datetime.fromtimestamp(ratings.rows(first, first + 1)["timestamp"][0], UTC).year
        after = len(ratings) if year == MAXYEAR else ratings.bounds(None, date(year + 1, 1, 1))[1]
        counts[year] = after - first
        first = after
    return counts


def shown(counts: dict[int, int]) -> dict[int, int]:
    """Return what a chart shows: the years without ratings in between, too, unless these are too many.

    A single rating with a wrong date must not make a chart of thousands of empty years.

    Args:
        counts: ratings by year, in order.
    """
    if not counts:
        return {}
    first, last = min(counts), max(counts)
    if last - first < MOST_YEARS:
        return {year: counts.get(year, 0) for year in range(first, last + 1)}
    return dict(list(counts.items())[-MOST_YEARS:])
