"""How long pages take in Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from benchmarks.failure import BenchmarkError
from benchmarks.page.api_server import TOKEN_COOKIE, RunningServer
from benchmarks.page.views import View

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WINDOW = {"width": 1280, "height": 900}
# All in milliseconds since the start of the navigation, except the first two.
TIMES = """() => {
    const [navigation] = performance.getEntriesByType('navigation')
    const [paint] = performance.getEntriesByName('first-contentful-paint')
    return paint && navigation.loadEventEnd && {
        server: navigation.responseStart - navigation.requestStart,
        kilobytes: performance.getEntriesByType('resource').concat(navigation)
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0) / 1000,
        paint: paint.startTime,
        load: navigation.loadEventEnd,
    }
}"""


@dataclass(frozen=True)
class Times:
    """How long a page took.

    Attributes:
        server: Milliseconds from the request to the first byte of the response.
        kilobytes: The size of the page and of all that it loads, also from the browser's cache.
        paint: Milliseconds until the first paint with content.
        load: Milliseconds until the page was loaded.
        complete: Milliseconds until that was visible which the view is about.
    """

    server: float
    kilobytes: float
    paint: float
    load: float
    complete: float


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and stop it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise BenchmarkError(f"there is no browser: install Chromium ({', '.join(NAMES)} are looked for on PATH)")
    with sync_playwright() as playwright:
        # The sandbox does not work as root.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def logged_in(browser: Browser, server: RunningServer) -> Iterator[Page]:
    """Open a window with an empty cache, in which the administrator is logged in."""
    context: BrowserContext = browser.new_context(viewport=WINDOW)  # type: ignore[arg-type]
    context.add_cookies([{"name": TOKEN_COOKIE, "value": server.token, "url": server.address}])
    yield context.new_page()
    context.close()


def open_view(page: Page, server: RunningServer, view: View) -> Times:
    """Open a view, and return how long it took.

    Raises:
        BenchmarkError: The server responds with an error, or the page does not show what the view is about.
    """
    response = page.goto(f"{server.address}/{view.path}", wait_until="commit")
    if response is None or response.status != HTTPStatus.OK:
        raise BenchmarkError(f"{view.path} has the status {response and response.status}")
    try:
        where = page.frame_locator("iframe") if view.in_frame else page
        where.locator(view.shows, has_text=view.text).first.wait_for()
        complete = page.evaluate("performance.now()")
        times = page.wait_for_function(TIMES).json_value()
    except PlaywrightError as error:
        raise BenchmarkError(f"{view.path} does not show {view.text!r}: {page.inner_text('body')[:500]}") from error
    return Times(complete=complete, **times)
