"""The landing page and `/docs` in a real Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_testing import Api, Model, day
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
# What Chromium would do on its own account.
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
WIDE, PHONE = {"width": 1100, "height": 800}, {"width": 360, "height": 740}
RECORD_VIOLATIONS = """
    window.violations = [];
    addEventListener("securitypolicyviolation", event => violations.push(event.violatedDirective + event.blockedURI));
"""
LOG_IN, ONE_DAY, AS_CSV, PYTHON = range(4)


@dataclass
class Visit:
    """A page, and the messages of the browser about it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.add_init_script(RECORD_VIOLATIONS)

    def assert_clean(self, api: Api) -> None:
        """Assert that the console is empty, and that nothing was blocked or loaded from another server."""
        assert self.complaints == []
        assert self.page.evaluate("violations") == []
        # Pictures that are part of the page have no host.
        assert self.hosts - {""} == {urlsplit(api.url).netloc}


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "no Chromium and no Chrome: `make test-tools` installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, api: Api) -> Iterator[Open]:
    contexts = []

    def open_page(path: str = "/", **options: Any) -> Visit:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=api.url)
        visit = Visit(context.new_page())
        visit.page.goto(api.url + path)
        return visit

    yield open_page
    for context in contexts:
        context.close()


def per_year(model: Model) -> dict[int, int]:
    years = [int(day(row)[:4]) for row in model.rows]
    return {year: years.count(year) for year in range(min(years), max(years) + 1)}


def test_the_page_shows_the_loaded_dataset(open_page: Open, api: Api, model: Model) -> None:
    visit = open_page()
    page = visit.page
    shown = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert shown["Ratings"] == f"{len(model.rows):,}"
    assert (shown["First day"], shown["Last day"]) == (day(model.rows[0]), day(model.rows[-1]))
    assert shown["Dataset"] == "sample"
    visit.assert_clean(api)


def test_every_year_has_a_column_of_the_right_height(open_page: Open, model: Model) -> None:
    page = open_page().page
    columns = page.locator("svg rect")
    boxes = [box for box in (column.bounding_box() for column in columns.all()) if box]
    counts = per_year(model)
    titles = page.locator("svg rect title").all_text_contents()
    assert titles == [f"{year}: {count:,}" for year, count in counts.items()]
    highest = max(box["height"] for box in boxes)
    for box, count in zip(boxes, counts.values(), strict=True):
        assert box["height"] == pytest.approx(highest * count / max(counts.values()), abs=0.2)
        assert box["y"] + box["height"] == pytest.approx(boxes[0]["y"] + boxes[0]["height"], abs=0.2)
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)


def test_the_grid_lines_are_at_their_counts(open_page: Open, model: Model) -> None:
    page = open_page().page
    heights = dict(
        zip(
            page.locator("svg .count").all_text_contents(),
            [float(line.get_attribute("y1") or "") for line in page.locator("svg line").all()],
            strict=True,
        )
    )
    year, most = max(per_year(model).items(), key=lambda item: item[1])
    [column] = [each for each in page.locator("svg rect").all() if (each.text_content() or "").startswith(str(year))]
    label, top = list(heights.items())[-1]
    per_rating = (heights["0"] - top) / (float(label.removesuffix("k")) * 1000)
    assert float(column.get_attribute("height") or "") == pytest.approx(most * per_rating, abs=0.05)


def test_the_table_shows_the_same_numbers(open_page: Open, model: Model) -> None:
    page = open_page().page
    assert not page.locator("table").is_visible()
    page.get_by_text("The numbers").click()
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [[str(year), f"{count:,}"] for year, count in per_year(model).items()]


def copied(page: Page, place: int) -> str:
    button = page.locator(".call button").nth(place)
    button.click()
    page.get_by_role("status").filter(has_text="Copied").wait_for()
    assert button.inner_text() == "Copied"
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


def in_shell(command: list[str], text: str, cwd: Path | None = None, **environ: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("API_")}
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=cwd,
        env=inherited | environ,
    )
    return done.stdout


LOGGED_IN = {"API_USER": "movielens", "API_PASSWORD": "movielens"}


def test_the_first_call_asks_for_user_and_password_and_the_second_gets_a_day(
    open_page: Open, api: Api, model: Model
) -> None:
    page = open_page().page
    script = f"{copied(page, LOG_IN)}\n{copied(page, ONE_DAY)}"
    said = in_shell(["bash", "-ec", script], "movielens\nmovielens\n")
    assert said.endswith(api.get("/ratings", start_date=day(model.rows[-1])).text)


def test_the_call_for_a_year_writes_a_file(open_page: Open, model: Model, tmp_path: Path) -> None:
    call = copied(open_page().page, AS_CSV)
    in_shell(["bash", "-e"], call, tmp_path, **LOGGED_IN)
    lines = (tmp_path / "ratings.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == len(model.window(day(model.rows[-1])[:4], None))


def test_the_python_snippet_gets_every_rating_of_the_day(open_page: Open, model: Model) -> None:
    said = in_shell([sys.executable, "-"], copied(open_page().page, PYTHON), **LOGGED_IN)
    expected = model.window(day(model.rows[-1]), None)
    assert said.splitlines() == [str({**row, "rating": float(row["rating"])}) for row in expected]


def test_copying_works_without_the_clipboard_of_secure_pages(open_page: Open, api: Api) -> None:
    visit = open_page()
    visit.page.evaluate("Object.defineProperty(Navigator.prototype, 'clipboard', {get: () => undefined})")
    visit.page.locator(".call button").nth(ONE_DAY).click()
    visit.page.get_by_role("status").filter(has_text="Copied").wait_for()
    fresh = open_page().page
    fresh.bring_to_front()
    assert api.url in fresh.evaluate("navigator.clipboard.readText()")


def test_without_scripts_there_are_no_buttons_that_do_nothing(open_page: Open) -> None:
    page = open_page(java_script_enabled=False).page
    assert page.locator(".call button").count() == 4
    assert not page.locator(".call button:visible").count()
    assert page.locator("svg rect").first.is_visible()


@pytest.mark.parametrize(
    "viewport", [pytest.param(WIDE, id="wide", marks=pytest.mark.long), pytest.param(PHONE, id="phone")]
)
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_is_wider_than_the_screen(open_page: Open, path: str, viewport: dict[str, int]) -> None:
    page = open_page(path, viewport=viewport).page
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_chart_is_readable_on_a_phone(open_page: Open) -> None:
    page = open_page(viewport=PHONE).page
    labels = [box for box in (each.bounding_box() for each in page.locator("svg .year:visible").all()) if box]
    assert len(labels) > 3
    assert min(box["height"] for box in labels) >= 10
    for left, right in pairwise(labels):
        assert left["x"] + left["width"] < right["x"]
    assert labels[-1]["x"] + labels[-1]["width"] <= PHONE["width"]


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        pytest.param("light", WIDE, id="light-wide"),
        pytest.param("dark", PHONE, id="dark-phone"),
        pytest.param("light", PHONE, id="light-phone", marks=pytest.mark.long),
        pytest.param("dark", WIDE, id="dark-wide", marks=pytest.mark.long),
    ],
)
def test_axe_finds_no_barrier(open_page: Open, scheme: str, viewport: dict[str, int]) -> None:
    page = open_page(color_scheme=scheme, viewport=viewport).page
    page.get_by_text("The numbers").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20


def test_light_and_dark_differ(open_page: Open) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    assert open_page(color_scheme="light").page.evaluate(ground) != open_page(color_scheme="dark").page.evaluate(ground)


def test_the_documentation_lists_every_operation_and_tries_one(open_page: Open, api: Api) -> None:
    visit = open_page()
    page = visit.page
    page.get_by_role("navigation").get_by_role("link", name="Documentation").click()
    page.locator(".opblock").first.wait_for()
    document = api.json("/openapi.json")
    assert page.locator(".opblock").count() == sum(len(item) for item in document["paths"].values())
    page.locator("#operations-operation-healthz .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text('"status"').wait_for()
    visit.assert_clean(api)


def test_the_documentation_is_tried_with_the_password(open_page: Open, api: Api) -> None:
    page = open_page("/docs").page
    page.get_by_role("button", name="Authorize").click()
    basic = page.locator("form").filter(has_text="(http, Basic)")
    basic.get_by_label("Username").fill("movielens")
    basic.get_by_label("Password").fill("movielens")
    basic.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()
    page.locator("#operations-users-list_users .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text('"total"').wait_for()
