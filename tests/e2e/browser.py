"""A real Chromium, and what it says about the pages that it shows."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Response

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
TIMEOUT_MS = 60_000
"""On a busy machine, a page may take long."""
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
PAGE = "/movielens/"
ABOUT_THE_FRAME = "An iframe which has both allow-scripts and allow-same-origin"
RECORD_VIOLATIONS = """
    window.violations = [];
    addEventListener("securitypolicyviolation", event => violations.push(event.violatedDirective + event.blockedURI));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, or a Chrome."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "no Chromium and no Chrome: `make test-tools` installs one"
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A tab of the browser, and what is wrong with the MovieLens pages in it.

    Attributes:
        page: The tab.
        complaints: Messages of the MovieLens pages to the console, and their exceptions.
        failed: Their requests that were not answered with success, as status and URL.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, context: BrowserContext) -> Visit:
        visit = cls(context.new_page())
        visit.page.add_init_script(RECORD_VIOLATIONS)
        visit.page.on("console", lambda message: visit._complain(message.location["url"], message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("response", visit._check)
        return visit

    def assert_clean(self) -> None:
        """Assert that the MovieLens pages had no error, and broke no rule of their content security policy."""
        assert self.faults() == []

    def faults(self) -> list[str]:
        """Return the errors since the last call, and what the MovieLens pages broke of their content security policy."""
        broken = [frame.evaluate("window.violations") for frame in self.page.frames if PAGE in frame.url]
        found = self.complaints + self.failed + [rule for rules in broken for rule in rules]
        self.complaints, self.failed = [], []
        return found

    def _complain(self, url: str, text: str) -> None:
        # Airflow's UI has messages of its own, and the browser one about the frame that Airflow makes.
        if PAGE in url and "/plugin/" not in url and not text.startswith(ABOUT_THE_FRAME):
            self.complaints.append(f"{url}: {text}")

    def _check(self, response: Response) -> None:
        if PAGE in response.url and "/plugin/" not in response.url and response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")
