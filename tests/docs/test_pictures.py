"""The pictures that `make screenshots` takes are in the docs, and small."""

from __future__ import annotations

from datetime import date

import pytest

from demo.layout import ROOT
from demo.screenshots.pictures import FOLDER, pictures


@pytest.mark.parametrize("picture", pictures(date(2000, 11, 20)), ids=lambda picture: picture.name)
def test_a_picture_is_shown_and_small(picture):
    file = FOLDER / f"{picture.name}.png"
    assert file.stat().st_size < 200_000
    assert f"]({file.relative_to(ROOT / 'docs')})" in (ROOT / "docs" / "page.md").read_text()
