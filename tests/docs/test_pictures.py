"""The pictures that `make screenshots` takes are in the docs, and small."""

from __future__ import annotations

from datetime import date

import pytest

from demo.layout import ROOT
from demo.screenshots import connection_form
from demo.screenshots.pictures import FOLDER, pictures

SHOWN = [(f"{picture.name}.png", "page.md") for picture in pictures(date(2000, 11, 20))]
SHOWN += [(name, "connection.md") for name in connection_form.NAMES]


@pytest.mark.parametrize(("name", "page"), SHOWN)
def test_a_picture_is_shown_and_small(name, page):
    file = FOLDER / name
    assert file.stat().st_size < 200_000
    assert f"]({file.relative_to(ROOT / 'docs')})" in (ROOT / "docs" / page).read_text()
