"""The calendar of a dataset and the page of a day, served by the real application from a real data root."""

from __future__ import annotations

import re
import shutil
from datetime import date
from html.parser import HTMLParser

import pytest
from integration.page.page_roots import OTHER_FOLDER, RATINGS_FOLDER, write_root
from unit.plugin.partition_records import fetch

CALENDAR = "/movielens/partitions/"


class Links(HTMLParser):
    """The links of a page with their texts."""

    def __init__(self, html):
        super().__init__()
        self.texts: dict[str, str] = {}
        self._href: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._href = dict(attrs)["href"]
            self.texts[self._href] = ""

    def handle_endtag(self, tag):
        if tag == "a":
            self._href = None

    def handle_data(self, data):
        if self._href is not None:
            self.texts[self._href] += data

    def of_days(self):
        """The texts of the links of the calendar by day."""
        pattern = re.compile(r"(\d{4}-\d\d-\d\d)/\?")
        return {match[1]: text for href, text in self.texts.items() if (match := pattern.match(href))}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Write a data root of seven weeks."""
    return write_root(tmp_path_factory.mktemp("root"), days=50)


@pytest.fixture
def root(written, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(written.path))
    return written


@pytest.fixture
def read(page, root):
    """Return a function that gets an address of the page and returns its HTML."""

    def get(path="", status=200, **query):
        response = page.get(CALENDAR + path, params={"dataset": RATINGS_FOLDER, **query})
        assert response.status_code == status, response.text
        return response.text

    return get


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_calendar_has_a_link_with_words_for_each_day(read, root):
    days = Links(read()).of_days()
    assert sorted(days) == [str(day) for day in root.days]
    assert re.fullmatch(r"2015-12-02: \d+ ratings", days["2015-12-02"])
    expected = {
        root.never_there: r"fetch failed, no file",
        root.failed_again: r"\d+ ratings, last fetch failed",
        root.quarantined: r"\d+ ratings, 30 rows quarantined",
        root.outdated: r"\d+ ratings, rankings out of date, late",
        root.late: r"\d+ ratings, late",
        root.unusual: r"900 ratings, unusual number of ratings",
        root.empty: r"0 ratings",
        root.missing[0]: r"never fetched",
    }
    for day, words in expected.items():
        assert re.fullmatch(f"{day}: {words}", days[str(day)])


def test_calendar_begins_with_what_needs_attention(read, root):
    html = read()
    text = text_of(html)
    assert "6 days of 50 need attention." in text
    first, last = root.missing[0], root.missing[-1]
    assert f"airflow backfill create --dag-id 06_ratings --from-date {first} --to-date {last}" in text
    assert "returned 503: the API is being restarted" in text
    links = Links(html).texts
    run = f"scheduled__{root.days[-4].replace(day=root.days[-4].day + 1)}T00%3A00%3A00%2B00%3A00"
    assert links[f"/dags/06_ratings/runs/{run}/tasks/fetch_ratings"] == "Clear fetch_ratings of 06_ratings"
    outdated = [text for href, text in links.items() if href.startswith("/dags/06_rank/") or "06_trailing" in href]
    assert outdated == ["Clear rank_bayesian of 06_rank"]
    assert links[f"{CALENDAR}{root.outdated}/?dataset=06_partitioned%2Fratings#outdated-title"] == "and 7 more"


@pytest.mark.parametrize(
    ("show", "days"),
    [("failed", 2), ("outdated", 1), ("late", 2), ("unusual", 1), ("quarantined", 1), ("empty", 1), ("all", 50)],
)
def test_each_key_figure_lists_its_days(read, show, days):
    html = read(show=show)
    [listed] = re.findall(r'<ul class="days">.*?</ul>', html, re.DOTALL)
    rows = listed.count("<li>")
    assert rows == (days if show != "all" else days - 2)  # three missing days are one row
    assert f'<span class="count">{days}</span>' in html


def test_unknown_list_is_an_error_that_says_which_there_are(read):
    assert "&#39;missing&#39;" in read(show="nonsense", status=422)


def test_page_of_a_day(read, root):
    html = read(f"{root.quarantined}/")
    text = text_of(html)
    assert "Saturday, 2015-12-26" in text
    assert "30 rows broke the contract of the API." in text
    assert "The first 10 of 30 in" in text
    assert "found 4.7, expected 0.5 to 5.0 in steps of 0.5" in text
    assert str(root.ratings(root.quarantined)) in text
    assert "Median of the 27 days before" in text  # three days are missing
    assert html.count("<rect") == 10
    assert "airflow backfill create --dag-id 06_ratings --from-date 2015-12-26 --to-date 2015-12-26" in text
    run = "/dags/06_ratings/runs/scheduled__2015-12-27T00%3A00%3A00%2B00%3A00"
    links = Links(html).texts
    assert {f"{run}/tasks/fetch_ratings", run, f"{run}/tasks/fetch_ratings?try_number=1"} <= links.keys()


def test_page_of_a_late_day_names_the_rankings_to_make_again(read, root):
    html = read(f"{root.outdated}/")
    text = text_of(html)
    assert "8 rankings were made before the ratings changed, and not again since." in text
    ranking = "06_partitioned%2Ftrailing%2F%7Bmethod%7D%2F%7Bday%7D.csv"
    address = f"/movielens/rankings/?ranking={ranking}&amp;method=bayesian&amp;day={root.outdated}"
    assert f'<a href="{address}">06_partitioned/trailing/bayesian/{root.outdated}.csv</a>' in html
    assert "06_late" in text


def test_page_of_a_late_day_that_was_ranked_again(read, root):
    text = text_of(read(f"{root.late}/"))
    assert "The ratings changed after they were ranked: from" in text
    assert "Rankings out of date" not in text


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (-1, "The last fetch failed. There is no file with this day."),
        (-4, "The last fetch failed. The file of an earlier fetch is still there."),
        (-10, "No fetch of this day is known."),
        (-31, "There are more than twice as many ratings as on any of the 19 days before"),
        (-41, "The API had no ratings of this day."),
        (-25, "OK"),
    ],
)
def test_page_of_a_day_explains_what_is_wrong(read, root, day, words):
    assert words in text_of(read(f"{root.days[day]}/"))


def test_day_that_is_not_known(read):
    text = text_of(read("1999-01-01/", status=404))
    assert "No fetch of 1999-01-01 is known. The known days of this dataset are" in text


def test_quarantine_file_that_is_gone(read, root, tmp_path, monkeypatch):
    quarantined = root.ratings(root.quarantined)
    copy = tmp_path / "copy"
    shutil.copytree(root.path / ".movielens-catalogue", copy / ".movielens-catalogue")
    for index in (copy / ".movielens-catalogue").glob("*/*.json"):
        index.write_text(index.read_text().replace(str(root.path), str(copy)))
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(copy))
    text = text_of(read(f"{root.quarantined}/"))
    assert f"{copy / RATINGS_FOLDER / quarantined.name}.quarantine.ndjson does not exist." in text


def test_quarantine_file_outside_of_the_root_is_not_read(read, root, tmp_path, monkeypatch):
    shutil.copytree(root.path / ".movielens-catalogue", tmp_path / ".movielens-catalogue")
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(tmp_path))
    text = text_of(read(f"{root.quarantined}/", dataset=str(root.path / RATINGS_FOLDER)))
    assert ".quarantine.ndjson is not in the data root, so this page does not read it." in text
    assert "found 4.7" not in text


def test_other_dataset_with_a_longer_window(read):
    html = read(dataset=OTHER_FOLDER)
    text = text_of(html)
    assert "All 30 days are present" in text
    assert re.search(r"week.parquet 2015-11-15 to 2015-11-21 \d+ ", text)
    assert {"06_partitioned/ratings", "05_pipeline/ratings"} <= set(Links(html).texts.values())


@pytest.mark.parametrize("address", ["2015-12-26/", "2015-12-26"])
def test_dataset_may_be_named_by_its_folder(read, root, address):
    assert "Saturday, 2015-12-26" in read(address, dataset=str(root.path / RATINGS_FOLDER))


def test_unknown_dataset_is_an_error_that_names_the_others(read):
    text = text_of(read(dataset="nothing", status=404))
    assert f"There is no dataset nothing. Choose one of: {RATINGS_FOLDER}, {OTHER_FOLDER}." in text


def test_nothing_was_fetched_yet(page, data_root):
    text = text_of(page.get(CALENDAR).text)
    assert "No ratings were fetched yet. Unpause a Dag that fetches ratings" in text
    assert str(data_root) in text


def test_years_between_two_periods_are_one_line(page, data_root, catalogue):
    folder = data_root / "ratings"
    days = [date(2000, 11, 15), date(2000, 11, 16), date(2026, 11, 28)]
    catalogue.add_all(fetch(day, path=f"{folder}/{day}.parquet") for day in days)
    html = page.get(CALENDAR).text
    text = text_of(html)
    assert "All 3 days are present" in text
    assert "No day from 2000-11-17 to 2026-11-27 was fetched. A gap of more than a year does not" in text
    assert list(Links(html).of_days()) == ["2026-11-28", "2000-11-15", "2000-11-16"]
    response = page.get(f"{CALENDAR}2010-01-01/")
    assert response.status_code == 404
    assert "The known days of this dataset are 2000-11-15 to 2000-11-16, 2026-11-28." in text_of(response.text)


def test_only_days_of_readable_dags_are_shown(analyst, root):
    assert text_of(analyst.get(CALENDAR).text).count("No ratings were fetched yet.") == 1


def test_damaged_index_is_said(page, root, tmp_path, monkeypatch):
    shutil.copytree(root.path / ".movielens-catalogue", tmp_path / ".movielens-catalogue")
    index = tmp_path / ".movielens-catalogue/fetch/2015-11.json"
    index.write_text("nonsense")
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", str(tmp_path))
    text = text_of(page.get(CALENDAR).text)
    assert f"{index} is damaged" in text
    assert f"movielens catalogue rebuild {tmp_path}" in text
