"""The pages that are opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from benchmarks.page.days import quarantined_day, run_id
from benchmarks.page.size import LAST_DAY, Size


@dataclass(frozen=True)
class View:
    """A page.

    Attributes:
        name: Its name in the report.
        path: Its path on the API server.
        shows: A selector of what is visible once the page is complete.
        text: What this says.
        in_frame: Whether that is in a frame of the page.
    """

    name: str
    path: str
    shows: str
    text: str
    in_frame: bool = False


BARE = View("a bare page", "bare/", "h1", "Bare")
DAGS = View("Airflow's list of Dags", "dags", 'a[href$="/dags/06_ratings"]', "06_ratings")
FRAME = View("partitions, in Airflow's frame", "plugin/movielens", "main", str(LAST_DAY.year), in_frame=True)
LIMITS = (BARE, DAGS)
LOOK = View("a look for the data root", "bare/root", "h1", "Found")


def views(size: Size) -> Sequence[View]:
    """Return the views of the page.

    Args:
        size: The size of the data root that they show.
    """
    day = quarantined_day(size)
    run = f"dags/06_ratings/runs/{quote(run_id('06_ratings', day), safe='')}/"
    likes = urlencode({"like": [f"movieId {number}" for number in (1, size.model // 2, size.model)]}, doseq=True)
    user = size.users // 2
    found = [
        ("partitions, the first page of a server", "partitions/", "main", str(LAST_DAY.year)),
        ("partitions", "partitions/", "main", str(LAST_DAY.year)),
        ("a day", f"partitions/{day}/", "main", "found 4.7, expected 0.5 to 5.0"),
        ("rankings", "rankings/", "main table", "The Adventures of Movie"),
        ("a movie's course", "rankings/movies/1/", "main", "The Adventures of Movie 1"),
        ("models", "models/", "main", "NDCG@10"),
        ("recommendations of a user", f"recommendations/?user={user}", "main table", "The Adventures of Movie"),
        ("fold-in", f"recommendations/?{likes}", "main table", "The Adventures of Movie"),
        ("similar movies", f"movies/{size.model // 3}/similar/", "main table", "The Adventures of Movie"),
        ("tab of a Dag run", run, "main", str(day)),
        ("tab of a task instance", f"{run}tasks/fetch_ratings/-1/", "main", "found 4.7, expected 0.5 to 5.0"),
    ]
    return [View(name, f"movielens/{path}", shows, text) for name, path, shows, text in found]
