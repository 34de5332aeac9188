"""The pictures of the connection's form in Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

STANDARD, EXTRA = "connection.png", "connection-extra-fields.png"
NAMES = (STANDARD, EXTRA)
VALUES = {
    "connection_id": "movielens",
    "host": "https://api.example.com/v1",
    "login": "me",
    "password": "p@ss/word",
    "port": "443",
}


def take_form(page: Page, address: str, folder: Path) -> list[Path]:
    """Fill in the form as docs/connection.md does, take its pictures, and return their files.

    Args:
        page: A tab of the browser that is logged in, high enough for all fields.
        address: The URL of Airflow.
        folder: The folder of the pictures.
    """
    page.goto(f"{address}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.get_by_role("option", name="MovieLens ratings API").click()
    for name, value in VALUES.items():
        form.locator(f"input[name={name}]").fill(value)
    standard = _picture_of(form, folder / STANDARD)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    form.locator("input[name=element_page_size]").fill("500")
    return [standard, _picture_of(form, folder / EXTRA)]


def _picture_of(form: Locator, path: Path) -> Path:
    form.screenshot(path=path, animations="disabled")
    return path
