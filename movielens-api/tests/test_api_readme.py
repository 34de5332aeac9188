"""The README tells the truth: its Python runs, and it leaves nothing out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from api_testing import Api, Model, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.catalogue import Catalogue
from movielens_api.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_runs(snippet: str) -> None:
    exec(compile(snippet, "README.md", "exec"), {})  # the README is ours


CURL = r'\$ curl -u \S+ (?:-H "Accept: (.*)" )?"http://localhost:5000([^"]*)"\n((?:[^`$].*\n)+)'


@pytest.mark.parametrize(("accept", "path", "output"), re.findall(CURL, README))
def test_curl_gets_what_it_says(api: Api, accept: str, path: str, output: str) -> None:
    assert api.ask(path, accept=accept or "*/*").text.removesuffix("\n") == output.removesuffix("\n")


CURL_POST = r"""\$ curl -u \S+ --json '(.*)' "http://localhost:5000/ratings"\n((?:[^`$].*\n)+)"""


@pytest.mark.parametrize(("body", "output"), re.findall(CURL_POST, README))
def test_curl_posts_what_it_says(serving: Serving, small: Catalogue, body: str, output: str) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        assert server.post(json.loads(body)).text == output.removesuffix("\n")


def test_every_curl_is_among_these() -> None:
    assert len(re.findall(CURL, README)) + len(re.findall(CURL_POST, README)) == README.count("$ curl")


@pytest.mark.parametrize("name", ["pages", "sections"])
def test_the_paging_snippets_get_every_page(api: Api, model: Model, name: str) -> None:
    [snippet] = [text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if f"def {name}" in text]
    names: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec"), names)
    found = names[name](api.url + "/ratings?start_date=2016-09-01", api.auth)
    assert [row for page in found for row in page] == model.window("2016-09-01", None)


def test_every_route_and_parameter_is_mentioned(api: Api) -> None:
    for path, item in api.json("/openapi.json")["paths"].items():
        for method, operation in item.items():
            assert method == "head" or f"`{method.upper()} {path}" in README
            for parameter in operation.get("parameters", []):
                assert f"`{parameter['name']}`" in README


def test_every_option_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert option == "--help" or f"`{option}" in README
