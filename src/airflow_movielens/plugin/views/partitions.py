"""The days of a dataset: a calendar of all days, and a page for each day."""

from __future__ import annotations

from calendar import day_name
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from airflow_movielens.plugin.errors import PageError
from airflow_movielens.plugin.partitions.backfills import backfill_command, dag_of
from airflow_movielens.plugin.partitions.calendar import YEARS, calendar_of, shown_years, years_of
from airflow_movielens.plugin.partitions.explanation import explain
from airflow_movielens.plugin.partitions.figures import Span, days_needing_attention, figures, verdict
from airflow_movielens.plugin.partitions.histogram import HEIGHT, WIDTH, bars
from airflow_movielens.plugin.partitions.periods import gaps_between
from airflow_movielens.plugin.partitions.portfolio import Portfolio
from airflow_movielens.plugin.partitions.quarantine import read_sample
from airflow_movielens.plugin.partitions.ranking import FACTS as RANKING_FACTS
from airflow_movielens.plugin.partitions.ranking import Ranking
from airflow_movielens.plugin.partitions.remedies import items
from airflow_movielens.plugin.partitions.status import Status
from airflow_movielens.plugin.partitions.trailing import compare
from airflow_movielens.plugin.ranking_kinds import ranking_address
from airflow_movielens.plugin.rendering import render
from airflow_movielens.plugin.source import Source, SourceDep

if TYPE_CHECKING:
    from airflow_movielens.plugin.partitions.dataset import Dataset

FIRST_ITEMS = 5
"""The list of days that need attention begins with so many."""

MAX_ITEMS = 400
"""No list is longer."""

router = APIRouter()


@router.get("/partitions/")
def show_calendar(
    request: Request,
    source: SourceDep,
    dataset: str | None = None,
    year: int | None = None,
    show: Status | Literal["all"] | None = None,
) -> Response:
    """Show the calendar of a dataset.

    Args:
        request: The request.
        source: Where the data come from.
        dataset: The name of the dataset; None for the one with the last fetch of a day.
        year: The last year to show; None for the last one with a known day.
        show: Which days to list; None for those that need attention.
    """
    portfolio, shown, problems = _read(source, dataset)
    if shown is None:
        return render(request, "partitions_empty.html", problems=problems, root=portfolio.root)
    name = portfolio.name(shown.folder)
    years = years_of(shown)
    calendar = calendar_of(shown, shown_years(years, year))
    listed = items(shown, _listed_days(shown, show))
    at_most = FIRST_ITEMS if show is None else MAX_ITEMS
    return render(
        request,
        "partitions.html",
        problems=problems,
        names=portfolio.names,
        name=name,
        dataset=shown,
        gaps=gaps_between(shown.periods),
        verdict=verdict(shown),
        figures=figures(shown),
        show=show,
        items=listed[:at_most],
        left_out=len(listed) - at_most,
        year=year,
        years=years if len(years) > YEARS else [],
        calendar=calendar,
        weekdays=day_name,
        query=urlencode({"dataset": name}),
    )


@router.get("/partitions/{day}")
@router.get("/partitions/{day}/")
def show_day(request: Request, source: SourceDep, day: date, dataset: str | None = None) -> Response:
    """Show a day of a dataset.

    Args:
        request: The request.
        source: Where the data come from.
        day: The day.
        dataset: The name of the dataset; None for the one with the last fetch of a day.
    """
    portfolio, shown, problems = _read(source, dataset)
    if shown is None or day not in shown.statuses:
        raise _unknown_day(day, shown)
    partition = shown.partitions.get(day)
    current = None if partition is None else partition.current
    dag_id = dag_of(shown, day)
    trailing = compare(shown.partitions, day)
    return render(
        request,
        "partition.html",
        problems=problems,
        portfolio=portfolio,
        dataset=shown,
        name=portfolio.name(shown.folder),
        day=day,
        previous=day - timedelta(days=1),
        next=day + timedelta(days=1),
        statuses=shown.statuses[day],
        needs_attention=any(status.needs_attention for status in shown.statuses[day]),
        explanations=explain(shown, day),
        partition=partition,
        current=current,
        files=shown.files_with(day),
        outdated=shown.outdated_of(day),
        rankings=[ranking for ranking in shown.current_rankings if ranking.covers(day)],
        trailing=trailing,
        ranking_address=partial(_ranking_address, portfolio.root),
        bars=bars(trailing),
        chart=(WIDTH, HEIGHT),
        sample=read_sample(current.path, portfolio.root) if current is not None and current.quarantined else None,
        command=None if dag_id is None else backfill_command(dag_id, Span(day, day)),
    )


def _read(source: Source, name: str | None) -> tuple[Portfolio, Dataset | None, list[str]]:
    fetches, rankings = source.records("fetch"), source.records("ranking", RANKING_FACTS)
    portfolio = Portfolio.of(source.catalogue.root, fetches.records)
    dataset = portfolio.dataset(name, rankings.records)
    if dataset is None and portfolio.folders:
        advice = f"Choose one of: {', '.join(portfolio.names)}."
        raise PageError(f"There is no dataset {name}.", advice, 404)
    return portfolio, dataset, fetches.problems + rankings.problems


def _listed_days(dataset: Dataset, show: Status | Literal["all"] | None) -> list[date]:
    if show is None:
        return days_needing_attention(dataset)
    return dataset.days if show == "all" else dataset.days_with(show)


def _ranking_address(root: str, ranking: Ranking) -> dict[str, str | None]:
    return ranking_address(ranking.record, root)


def _unknown_day(day: date, dataset: Dataset | None) -> PageError:
    if dataset is None or not dataset.days:
        return PageError(f"No fetch of {day} is known.", "No day was fetched yet.", 404)
    known = ", ".join(map(str, dataset.periods))
    return PageError(f"No fetch of {day} is known.", f"The known days of this dataset are {known}.", 404)
