"""The views of the MovieLens page in a real browser: with data and without, for all users, in light, dark and small."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.browser import PHONE, TIMEOUT_MS, WIDE, Visit
from e2e.page_server import STRANGER, page_server
from integration.page.dag_rights import ENGINEER, READABLE_FOR_ENGINEER
from integration.page.page_roots import OTHER_FOLDER, RATINGS_FOLDER, write_root
from playwright.sync_api import expect

from demo.ports import LOOPBACK

MODELS = "07_recommend"
VIEWS = ("partitions/", "rankings/", "models/", "recommendations/")
CALENDAR = f"partitions/?dataset={RATINGS_FOLDER}"


@pytest.fixture(scope="module")
def server(running_stack, tmp_path_factory):
    """Serve the page behind a path."""
    with page_server(running_stack, tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture(scope="module")
def full(server, tmp_path_factory):
    """Write a data root with days of every kind. Its records have the paths that the server reads."""
    folder = tmp_path_factory.mktemp("full")
    server.read(folder)
    return folder, write_root(server.root, days=80, ranked=10)


@pytest.fixture
def root(server, full):
    """Let the page show the data root with days of every kind."""
    folder, root = full
    server.read(folder)
    return root


@pytest.fixture(scope="module")
def model_run(running_stack):
    """Return the id of a run that trained a model and recommended movies."""
    known = [run["dag_run_id"] for run in running_stack.airflow.runs(MODELS) if run["state"] == "success"]
    return known[0] if known else running_stack.run(MODELS, {"parameters": {}})


@pytest.fixture
def browse(browser, server):
    """Return a function that opens a tab in which a user is logged in, or nobody."""
    contexts = []

    def browse(user="admin", **options):
        address = f"{server.address}/movielens/"
        context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", "base_url": address, **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        if user is not None:
            context.add_cookies([{"name": "_token", "value": server.token(user), "domain": LOOPBACK, "path": "/"}])
        return Visit.of(context)

    yield browse
    for context in contexts:
        context.close()


@pytest.fixture
def views(running_stack, root, model_run):
    """Return the addresses of all views with data: days, rankings, and what the run of a Dag left."""
    days = (
        root.late,
        root.quarantined,
        root.missing[0],
        root.outdated,
        root.failed_again,
        root.never_there,
        root.empty,
    )
    partitions = [CALENDAR, f"{CALENDAR}&show=late", f"partitions/?dataset={OTHER_FOLDER}"]
    partitions += [f"partitions/{day}/?dataset={RATINGS_FOLDER}" for day in days]
    rankings = ["rankings/", "rankings/?method=trending&search=movie+7", "rankings/movies/7/"]
    run = f"dags/{MODELS}/runs/{quote(model_run, safe='')}/"
    tabs = [run, *(f"{run}tasks/{task}/-1/" for task in ("fetch_ratings", "train_model"))]
    models = ["models/", "recommendations/?user=600", "recommendations/?like=Heat&like=Casablanca", "movies/6/similar/"]
    return [*partitions, *rankings, *(f"{running_stack.airflow.address}/movielens/{view}" for view in (*models, *tabs))]


def faults_of(visit, address):
    """Open a page and return what axe, the console, the network and the width of the screen say against it."""
    status = visit.page.goto(address).status
    too_wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    barriers = Axe().run(visit.page)
    assert len(barriers.response["passes"]) > 10
    found = [status] if status != 200 else []
    found += [f"{too_wide} pixels too wide"] if too_wide else []
    found += [f"{each['id']}: {each['nodes'][0]['html']}" for each in barriers.response["violations"]]
    return found + visit.faults()


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        pytest.param("light", WIDE, id="light-wide"),
        pytest.param("dark", PHONE, id="dark-phone"),
        pytest.param("dark", WIDE, id="dark-wide", marks=pytest.mark.long),
        pytest.param("light", PHONE, id="light-phone", marks=pytest.mark.long),
    ],
)
def test_no_view_has_a_barrier_or_an_error(browse, views, scheme, viewport):
    visit = browse(color_scheme=scheme, viewport=viewport)
    assert [f"{view}: {fault}" for view in views for fault in faults_of(visit, view)] == []
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_keyboard_leads_to_a_day_and_copies_its_command(browse, root):
    visit = browse(permissions=["clipboard-read", "clipboard-write"])
    page = visit.page
    page.goto(CALENDAR)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    focused = page.locator(":focus")
    while not focused.evaluate("element => element.closest('.calendar') !== null"):
        page.keyboard.press("Tab")
    expect(focused).to_contain_text(str(root.never_there))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    day = root.days[-7]
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(day))
    page.keyboard.press("Tab")
    while focused.inner_text() != "Copy":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith(f"airflow backfill create --dag-id 06_ratings --from-date {day} --to-date {day}")
    visit.assert_clean()


def test_a_tab_stop_does_not_lead_through_all_days(browse, root):
    page = browse().page
    page.goto(CALENDAR)
    assert page.locator(".calendar a").count() > len(root.days) - 5
    assert page.locator(".calendar a:not([tabindex='-1'])").count() == 1


def test_the_address_keeps_what_was_chosen(browse, root):
    page = browse().page
    page.goto("rankings/")
    page.get_by_label("Method").select_option("trending")
    page.get_by_label("Title").fill("movie 1")
    page.get_by_label("Title").press("Enter")
    page.wait_for_url("**method=trending**")
    page.get_by_role("navigation", name="Days").get_by_role("link").first.click()
    for _ in range(2):
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Ranking of {root.days[-3]}")
        expect(page.get_by_label("Method")).to_have_value("trending")
        expect(page.get_by_label("Title")).to_have_value("movie 1")
        page.reload()


def test_the_page_works_without_scripts(browse, root):
    page = browse(java_script_enabled=False).page
    page.goto(CALENDAR)
    page.get_by_role("link", name=f"{root.quarantined}: ").click()
    expect(page.get_by_role("heading", name="Quarantined rows")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_fresh_data_root_leads_to_the_first_dag(browse, server, tmp_path):
    server.read(tmp_path)
    visit = browse()
    for view, dag in zip(VIEWS, ("05_pipeline", "", MODELS, MODELS), strict=True):
        assert faults_of(visit, view) == []
        expect(visit.page.locator(".empty")).to_contain_text(f"Unpause the Dag {dag}" if dag == MODELS else dag)


def test_files_that_cannot_be_read_are_named(browse, server, tmp_path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/.movielens-catalogue").touch()
    page = browse().page
    for folder, said in (("missing", f"no folder {server.root}."), ("damaged", f"{server.root}/.movielens-catalogue")):
        server.read(tmp_path / folder)
        for view in VIEWS:
            assert page.goto(view).status == 503
            expect(page.locator(".empty h1")).to_contain_text(said)
            assert Axe().run(page).violations_count == 0
    expect(page.locator(".empty p")).to_contain_text("Not a directory")


def test_nobody_sees_the_page_without_the_right_to(browse, root):
    for user, status, advice in ((None, 401, "Log in to Airflow"), (STRANGER, 403, "Ask an administrator")):
        page = browse(user).page
        for view in (*VIEWS, "static/page.js"):
            assert page.goto(view).status == status
        expect(page.get_by_role("main")).to_contain_text(advice)


def test_a_user_sees_what_readable_dags_did(browse, root):
    page = browse(ENGINEER).page
    page.goto("partitions/")
    expect(page.get_by_role("heading", level=1)).to_have_text(OTHER_FOLDER)
    assert RATINGS_FOLDER not in page.content()
    assert page.goto(CALENDAR).status == 404
    page.goto("rankings/")
    expect(page.get_by_text("06_partitioned")).to_have_count(0)
    assert page.goto(f"dags/{READABLE_FOR_ENGINEER}/runs/any/").status == 200
    assert page.goto("dags/06_ratings/runs/any/").status == 403


def test_airflow_behind_a_path_shows_the_page_and_keeps_its_address(browse, server, root):
    visit = browse(base_url=server.address)
    visit.page.goto(f"{server.address}/plugin/movielens")
    frame = visit.page.frame_locator("iframe")
    frame.get_by_role("link", name=f"{root.late}: ").click()
    for _ in range(2):
        expect(frame.get_by_role("heading", level=1)).to_contain_text(str(root.late))
        visit.page.wait_for_url(f"**/partitions/{root.late}/**")
        visit.page.reload()
    visit.assert_clean()
    frame.get_by_role("link", name="Task", exact=True).first.click()
    visit.page.wait_for_url(f"{server.address}/dags/06_late/runs/*/tasks/fetch_ratings")
