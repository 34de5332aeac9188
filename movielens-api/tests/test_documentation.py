"""The README and the pages in `docs/api` are correct and complete: snippets run, links work, nothing is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from api_testing import DOCS, README, Api, Model, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.cli import main
from movielens_api.table.catalogue import Catalogue

PAGES = [README, *sorted(DOCS.glob("*.md"))]
# Its responses are from a model, which tests/docs/test_api_recommendations_page.py trains.
RECOMMENDATIONS = DOCS / "recommendations.md"
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page != RECOMMENDATIONS)
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("snippet", PYTHON)
def test_python_runs(snippet: str) -> None:
    exec(compile(snippet, "docs/api", "exec"), {})  # the documentation is ours


CURL = r'\$ curl -u \S+ (?:-H "Accept: (.*)" )?"http://localhost:5000([^"]*)"\n((?:[^`$].*\n)+)'


@pytest.mark.parametrize(("accept", "path", "output"), re.findall(CURL, TEXT))
def test_curl_prints_the_documented_response(api: Api, accept: str, path: str, output: str) -> None:
    assert api.ask(path, accept=accept or "*/*").text.removesuffix("\n") == output.removesuffix("\n")


CURL_POST = r"""\$ curl -u \S+ --json '(.*)' "http://localhost:5000/ratings"\n((?:[^`$].*\n)+)"""


@pytest.mark.parametrize(("body", "output"), re.findall(CURL_POST, TEXT))
def test_curl_posts_with_the_documented_response(serving: Serving, small: Catalogue, body: str, output: str) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        assert server.post(json.loads(body)).text == output.removesuffix("\n")


def test_every_curl_is_among_these() -> None:
    assert len(re.findall(CURL, TEXT)) + len(re.findall(CURL_POST, TEXT)) == TEXT.count("$ curl") > 0


@pytest.mark.parametrize("name", ["pages", "sections"])
def test_the_paging_snippets_get_every_page(api: Api, model: Model, name: str) -> None:
    [snippet] = [text for text in PYTHON if f"def {name}" in text]
    names: dict[str, Any] = {}
    exec(compile(snippet, "docs/api/pagination.md", "exec"), names)
    found = names[name](api.url + "/ratings?start_date=2016-09-01", api.auth)
    assert [row for page in found for row in page] == model.window("2016-09-01", None)


def test_every_route_and_parameter_is_documented(recommending: Api) -> None:
    page = (DOCS / "endpoints.md").read_text(encoding="utf-8")
    for path, item in recommending.json("/openapi.json")["paths"].items():
        for method, operation in item.items():
            assert method == "head" or f"`{method.upper()} {path}" in page
            for parameter in operation.get("parameters", []):
                # The header of a POST is explained where posting is.
                assert f"`{parameter['name']}`" in (TEXT if parameter["in"] == "header" else page)


def test_every_option_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "serving.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert option == "--help" or f"`{option}" in page


def test_the_readme_links_to_every_page() -> None:
    linked = re.findall(r"\]\(\.\./docs/api/([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert sorted(linked) == [page.name for page in sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_pages_lead_to_a_heading(page: Path) -> None:
    for target, _, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(#?)([^)]*)\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.is_file(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}#{anchor}"


def anchors(page: Path) -> list[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
