"""The output for the user: a line per step with its time, then tables."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.configuration import AIRFLOW_USER, API_USER
from demo.pipeline import DAYS, FIRST_DAY, LAST_DAY
from demo.recommendations import how_judged
from demo.services.s3 import KEY
from demo.services.selection import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from demo.errors import DemoError
    from demo.layout import Layout
    from demo.pipeline import Fetched, Rankings, ShowStates
    from demo.recommendations import Recommendations
    from demo.services.selection import Services
    from demo.stack import Stack

PLAIN_WIDTH = 125


def movement(movie: dict[str, str]) -> str:
    """Return how a movie has moved since the ranking before."""
    if movie["is_new"] == "true":
        return "new"
    change = int(movie["rank_change"])
    return f"{'▲' if change > 0 else '▼'} {abs(change)}" if change else "="


def why_not_the_mean(rankings: Rankings) -> str:
    """Return a sentence that shows what a ranking by the mean alone is worth."""
    means = [float(movie["avg_rating"]) for movie in rankings.by_mean]
    tie = [movie for movie, mean in zip(rankings.by_mean, means, strict=True) if mean == means[0]]
    most = max(int(movie["num_ratings"]) for movie in tie)
    best = rankings.best_rated[0]
    place = 1 + sum(mean > float(best["avg_rating"]) for mean in means)
    return (
        f"A top ten by the mean alone is no ranking: {len(tie)} movies tie at {means[0]:.2f}, none of them with more "
        f"than {most} ratings, and {best['title']}, with {best['num_ratings']} ratings, would be number {place}."
    )


def _services(services: Services) -> list[str]:
    """Return the addresses of the services, and how tasks reach them."""
    lines = []
    if services.postgres is not None:
        lines.append(f"PostgreSQL  {services.postgres.url('movielens')} (Airflow's connection postgres_default)")
    if services.s3 is not None:
        lines.append(f"S3          {services.s3.endpoint}, access key {KEY}, secret {services.s3.secret}")
        lines.append(f"  files     s3://{BUCKET}/data (Airflow's connection aws_default)")
    return lines


class Report:
    """Output to a terminal, or as plain lines to a file."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=PLAIN_WIDTH)
        self._started = time.monotonic()

    def say(self, text: str = "") -> None:
        """Print a line."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while it runs and, when it ends, how long it took."""
        started, mark = time.monotonic(), "[red]✗[/]"
        try:
            if self._console.is_terminal:
                with self._console.status(title):
                    yield
            else:
                self.say(f"… {title}")
                yield
            mark = "[green]✓[/]"
        finally:
            self.say(f"{mark} {title} [dim]({time.monotonic() - started:.1f} s)[/]")

    @contextmanager
    def days(self) -> Iterator[ShowStates]:
        """Show how many days are done and which are running."""
        if not self._console.is_terminal:
            yield self._line_per_day()
            return
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            bar = progress.add_task("days", total=len(DAYS))

            def show(states: dict[str, str]) -> None:
                running = [day for day, state in states.items() if state == "running"]
                done = sum(state == "success" for state in states.values())
                progress.update(bar, completed=done, description=f"days done, now {', '.join(running[:2]) or '…'}")

            yield show

    def _line_per_day(self) -> Callable[[dict[str, str]], None]:
        done: set[str] = set()

        def show(states: dict[str, str]) -> None:
            for day in sorted(day for day, state in states.items() if state == "success" and day not in done):
                done.add(day)
                self.say(f"  {day} done ({len(done)} of {len(DAYS)})")

        return show

    def fetched(self, days: Sequence[Fetched], layout: Layout) -> None:
        """Print the number of ratings and the file of each day."""
        table = Table("Day")
        table.add_column("Ratings", justify="right")
        table.add_column("File", overflow="fold")
        for day in days:
            table.add_row(day.day, f"{day.rows:,}", escape(layout.shown(day.path)))
        table.add_section()
        table.add_row(f"{len(days)} days", f"{sum(day.rows for day in days):,}", "")
        self._print_table(f"Ratings fetched from {FIRST_DAY} to {LAST_DAY}", table)

    def rankings(self, rankings: Rankings, number: int) -> None:
        """Print the best rated and the popular movies of the period, and why their mean alone is no ranking."""
        self._ranking("Best rated (bayesian: the mean, damped where there are few ratings)", "Average", "avg_rating",
                      rankings.best_rated[:number])  # fmt: skip
        self._ranking("Popular in these days (trending: likes, of which recent ones weigh more)", "Likes", "num_likes",
                      rankings.popular[:number])  # fmt: skip
        self.say(f"Movement: since the ranking of the first week, {FIRST_DAY} to {LAST_DAY - timedelta(days=7)}.")
        self.say(escape(why_not_the_mean(rankings)))

    def _ranking(self, title: str, heading: str, column: str, movies: Sequence[dict[str, str]]) -> None:
        table = Table()
        table.add_column("#", justify="right")
        table.add_column("Title", overflow="fold")
        for name in ("Score", heading, "Ratings", "Movement"):
            table.add_column(name, justify="right")
        for movie in movies:
            title_and_year = escape(f"{movie['title']} ({movie['year']})")
            score = f"{float(movie['score']):.3f}"
            fact = f"{float(movie[column]):.2f}" if column == "avg_rating" else movie[column]
            table.add_row(movie["rank"], title_and_year, score, fact, movie["num_ratings"], movement(movie))
        self._print_table(title, table)

    def recommendations(self, found: Recommendations, layout: Layout, number: int) -> None:
        """Print the recommendations to each person with their reasons, and how the model was judged."""
        for person in found.people:
            *others, last = person.likes
            table = Table()
            table.add_column("#", justify="right")
            table.add_column("Recommended", overflow="fold")
            table.add_column("Why", overflow="fold")
            for rank, (title, reason) in enumerate(person.movies[:number], start=1):
                table.add_row(str(rank), escape(title), escape(reason))
            self._print_table(escape(f"For user {person.user}, who likes {', '.join(others)} and {last}"), table)
        self.say()
        judged, followed = how_judged(found)
        self.say(escape(judged))
        self.say(escape(f"{followed}; the report, a page for the browser, is {layout.shown(found.report)}"))
        users, path = found.written["users"], layout.shown(found.written["path"])
        self.say(escape(f"All {users:,} users have recommendations in {path}"))

    def files(self, layout: Layout, rankings: Path, page_address: str) -> None:
        """Print where the files are and what to do next."""
        self.say()
        self.say(f"Rankings    {escape(layout.shown(rankings))}")
        self.say(f"Data        {escape(layout.shown(layout.data))}")
        self.say(f"Task logs   {escape(layout.shown(layout.airflow_home / 'logs'))}")
        self.say(f"Done in {time.monotonic() - self._started:.0f} s; nothing is left running.")
        self.say("Next: [bold]make up[/] keeps the API and Airflow running, with these runs in Airflow's UI.")
        self.say(f"Its MovieLens page shows these days, rankings, models and recommendations: {page_address}")

    def addresses(self, stack: Stack) -> None:
        """Print the addresses of the running stack and how to log in."""
        login = f"{API_USER}:{stack.credentials.api_password}"
        example = f"{stack.api_address}/ratings?start_date=2000-11-20&end_date=2000-11-21&limit=3"
        self.say()
        self.say(f"Airflow     {stack.airflow.address}")
        self.say(f"  log in    user {AIRFLOW_USER}, password {escape(stack.credentials.airflow_password)}")
        self.say(f"  MovieLens {stack.page_address} (partitions, rankings, models, recommendations)")
        self.say(f"Ratings API {stack.api_address} (how to call it: {stack.api_address}/docs)")
        self.say(f"  try       curl -u {escape(login)} '{escape(example)}'")
        for line in _services(stack.services):
            self.say(escape(line))
        self.say("The connection [bold]movielens[/] is ready. Dags are paused until you unpause or trigger them:")
        self.say("[bold]07_recommend[/] trains a model and judges it. The API serves its recommendations:")
        self.say(f"  try       curl -u {escape(login)} '{stack.api_address}/users/600/recommendations?n=3'")
        self.say("Ctrl-C stops everything.")

    def failure(self, error: DemoError) -> None:
        """Print what failed, with the log that shows why."""
        self.say(f"[bold red]✗[/] {escape(str(error))}")
        for line in error.details.splitlines():
            self.say(f"  [dim]│[/] {escape(line)}")

    def _print_table(self, title: str, table: Table) -> None:
        self.say()
        self.say(f"[bold]{title}[/]")
        self._console.print(table)
