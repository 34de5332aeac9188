"""The MovieLens page in Airflow's UI: its entry in the menu, its tabs, and what the frame around it changes."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import expect

DATASET = "05_pipeline/ratings"
DAG, TASK, DAY = "05_pipeline", "fetch_ratings", "2000-11-20"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def run_id(running_stack):
    """Return the id of the run that fetched a day."""
    after = "2000-11-21T00:00:00Z"
    known = [run["dag_run_id"] for run in running_stack.airflow.runs(DAG) if run["logical_date"] == after]
    run_id = known[0] if known else running_stack.start(DAG, logical_date=after)
    assert running_stack.ended(DAG, run_id) == "success"
    return run_id


@pytest.fixture
def frame(visit):
    """Return the frame in which Airflow shows the page."""
    return visit.page.frame_locator("iframe")


@pytest.fixture
def calendar(visit, frame, run_id):
    """Open the calendar with the day."""
    visit.page.goto("/plugin/movielens")
    show_calendar(frame)
    return frame


def show_calendar(frame):
    if frame.get_by_role("heading", level=1).inner_text() != DATASET:  # other tests have fetched since
        frame.get_by_role("navigation", name="Datasets").get_by_role("link", name=DATASET, exact=True).click()
    expect(frame.get_by_role("heading", level=1)).to_have_text(DATASET)
    expect(day_in(frame)).to_be_visible()


def day_in(calendar):
    return calendar.get_by_role("link", name=f"{DAY}: ")


def address_of_run(run_id):
    return f"/dags/{DAG}/runs/{quote(run_id, safe='')}"


def test_the_menu_leads_to_a_day_and_on_to_its_task_and_log(visit, frame, run_id):
    visit.page.goto("/dags")
    visit.page.get_by_role("button", name="Browse").click()
    visit.page.get_by_role("menuitem", name="MovieLens").click()
    show_calendar(frame)
    day_in(frame).click()
    expect(frame.get_by_role("heading", level=1)).to_contain_text(DAY)
    visit.assert_clean()
    frame.get_by_role("link", name="Log", exact=True).first.click()
    # The log is in Airflow around the frame.
    visit.page.wait_for_url(f"**{address_of_run(run_id)}/tasks/{TASK}?try_number=1")
    expect(visit.page.locator("iframe")).to_have_count(0)
    visit.page.go_back()
    expect(frame.get_by_role("heading", level=1)).to_be_visible()


def test_a_dag_run_has_a_tab_with_what_it_did(visit, frame, run_id):
    visit.page.goto(address_of_run(run_id))
    visit.page.get_by_role("link", name="MovieLens").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("What this run did")
    visit.assert_clean()
    frame.get_by_role("link", name=TASK, exact=True).click()
    visit.page.wait_for_url(f"**{address_of_run(run_id)}/tasks/{TASK}")


def test_a_task_has_a_tab_with_how_it_did_it(visit, frame, running_stack, run_id):
    visit.page.goto(f"{address_of_run(run_id)}/tasks/{TASK}")
    visit.page.get_by_role("link", name="MovieLens").click()
    rows = running_stack.xcom(DAG, run_id, TASK)["rows"]
    expect(frame.locator(".figures div").filter(has_text="Ratings").first).to_contain_text(f"{rows:,}")
    visit.assert_clean()


def choose_theme(page, name):
    page.get_by_role("button", name="User").click()
    page.get_by_role("menuitem", name="Appearance").click()
    page.get_by_role("menuitem", name=name).or_(page.get_by_role("menuitemradio", name=name)).click()


def test_the_page_follows_airflows_theme_while_it_is_open(visit, calendar):
    frame = next(each for each in visit.page.frames if "/movielens/partitions/" in each.url and each.parent_frame)
    found = {}
    for name in ("Dark Mode", "Light Mode", "Dark Mode"):
        choose_theme(visit.page, name)
        wanted = name.split()[0].lower()
        expect(calendar.locator(f"html[data-theme={wanted}]")).to_have_count(1)
        found.setdefault(wanted, set()).add(frame.evaluate(GROUND))
    assert len(found["dark"]) == len(found["light"]) == 1
    assert found["dark"] != found["light"]
    visit.assert_clean()


def test_without_a_login_neither_the_page_nor_its_frame_shows_anything(visit, calendar, running_stack):
    address = f"{running_stack.airflow.address}/movielens/partitions/"
    assert requests.get(address, timeout=60).status_code == 401
    visit.page.context.clear_cookies()
    day_in(calendar).click()
    expect(calendar.get_by_role("heading", level=1)).to_have_text("401 Unauthorized")
    expect(calendar.get_by_text("Log in to Airflow")).to_be_visible()
    (refused,) = {status.split()[0] for status in visit.failed}
    assert refused == "401"
