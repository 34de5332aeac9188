"""The README tells the truth: its Python runs, and it leaves nothing out."""

import re
from pathlib import Path

import pytest
from api_testing import Api

from movielens_api.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_runs(snippet: str) -> None:
    exec(compile(snippet, "README.md", "exec"), {})  # the README is ours


@pytest.mark.parametrize(("path", "output"), re.findall(r"\$ curl .*localhost:5000([^\"]*)\"\n(.*)\n", README))
def test_curl_gets_what_it_says(api: Api, path: str, output: str) -> None:
    assert api.get(path).text == output


def test_every_route_and_parameter_is_mentioned(api: Api) -> None:
    for path, item in api.json("/openapi.json")["paths"].items():
        assert f"`GET {path}" in README
        for parameter in item["get"].get("parameters", []):
            assert f"`{parameter['name']}`" in README


def test_every_option_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert option == "--help" or f"`{option}" in README
