"""The pictures, taken in Chromium."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from demo.errors import DemoError
from demo.layout import ROOT
from demo.screenshots.connection_form import take_form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from demo.stack import Stack

FOLDER = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH = 1180
FORM = {"width": 1180, "height": 2400}
DATASET = "05_pipeline/ratings"
RANKING = "05_pipeline/rankings/trailing/{method}/{day}.csv"
Theme = Literal["light", "dark"]
LIKES = ("Toy Story", "Aladdin", "Monsters, Inc.")


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: The name of the file, without the extension.
        path: The path of the page on Airflow's server.
        height: The height of the picture in pixels; the width is `WIDTH`.
        theme: Airflow's theme.
        in_airflow: Whether the page is in Airflow's frame.
    """

    name: str
    path: str
    height: int
    theme: Theme = "light"
    in_airflow: bool = False


def pictures(late: date) -> list[Picture]:
    """Return all pictures.

    Args:
        late: A late day.
    """
    ranking = {"ranking": RANKING, "method": "trending"}
    return [
        Picture("page-partitions", "plugin/movielens", 800, in_airflow=True),
        Picture("page-day", f"movielens/partitions/{late}/?{_query(dataset=DATASET)}", 1420),
        Picture("page-rankings", f"movielens/rankings/?{_query(**ranking)}", 690),
        Picture("page-models", "movielens/models/", 1240),
        Picture("page-recommendations", f"movielens/recommendations/?{_query(like=LIKES)}", 1100),
        Picture("page-dark", f"movielens/rankings/movies/1/?{_query(**ranking)}", 610, theme="dark"),
    ]


def take(stack: Stack, late: date) -> list[Path]:
    """Take all pictures, and return their files.

    Args:
        stack: The running stack.
        late: A late day.

    Raises:
        DemoError: There is no browser, or a page responds with an error.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise DemoError(f"There is no browser: install Chromium ({', '.join(BROWSERS)} are looked for on PATH).")
    token = stack.airflow.log_in()
    with sync_playwright() as playwright:
        # The sandbox does not work as root.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        taken = [_take(browser, stack, token, picture) for picture in pictures(late)]
        with _logged_in(browser, stack, token, FORM, "light") as page:
            taken += take_form(page, stack.airflow.address, FOLDER)
        browser.close()
    return taken


def _take(browser: Browser, stack: Stack, token: str, picture: Picture) -> Path:
    address = f"{stack.airflow.address}/{picture.path}"
    path = FOLDER / f"{picture.name}.png"
    size = {"width": WIDTH, "height": picture.height}
    with _logged_in(browser, stack, token, size, picture.theme) as page:
        response = page.goto(address, wait_until="networkidle" if picture.in_airflow else "load")
        if response is None or not response.ok:
            raise DemoError(f"{address} responds with {response and response.status}.")
        content: Any = page.frame_locator("iframe") if picture.in_airflow else page
        content.locator("main").wait_for()
        page.screenshot(path=path, animations="disabled")
    return path


@contextmanager
def _logged_in(browser: Browser, stack: Stack, token: str, size: Any, theme: Theme) -> Iterator[Page]:
    """Open a tab."""
    context = browser.new_context(viewport=size, color_scheme=theme)
    context.add_cookies([{"name": "_token", "value": token, "url": stack.airflow.address}])
    try:
        yield context.new_page()
    finally:
        context.close()


def _query(**values: Any) -> str:
    return urlencode(values, doseq=True)
