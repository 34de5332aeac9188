"""Which model is served: the champion of a registry that changes, and may be damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from recommendation_testing import Arrays, Registry

from movielens_api.recommendations.champion import Champion

FIRST, SECOND = Arrays(seed=1).file(), Arrays(seed=2).file()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def champion(registry: Registry) -> Iterator[Champion]:
    with closing(Champion(registry.folder)) as champion:
        yield champion


def look(champion: Champion) -> tuple[str | None, str | None]:
    """Return the version and the problem after a look; the thread of the champion may look at any time as well."""
    champion.look()
    served = champion.served
    assert (served.version is None) == (served.model is None)
    return served.version, served.problem


def test_the_champion_is_that_of_the_last_event(champion: Champion, registry: Registry) -> None:
    assert look(champion) == (None, None)
    first = registry.register(FIRST)
    assert look(champion) == (None, None)
    registry.promote(first)
    assert look(champion) == (first, None)
    model = champion.served.model
    second = registry.register(SECOND)
    assert look(champion) == (first, None)
    assert champion.served.model is model
    registry.promote(second)
    assert look(champion) == (second, None)
    registry.event("rollback", first, champion=first)
    assert look(champion) == (first, None)


def test_a_champion_that_cannot_be_read_replaces_none(
    champion: Champion, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    first, bad = registry.register(FIRST), registry.register(SECOND[:-100])
    registry.promote(first)
    look(champion)
    registry.promote(bad)
    for _ in range(3):
        version, problem = look(champion)
        assert version == first
        assert problem
        assert f"{bad}.npz is damaged" in problem
        assert str(registry.folder) not in problem
    assert len(caplog.records) == 1
    assert f"{first} stays in service" in caplog.text
    registry.promote(first)
    assert look(champion) == (first, None)
    registry.promote(bad)
    assert look(champion) == (first, problem)
    (registry.folder / "models" / f"{bad}.npz").write_bytes(SECOND)
    assert look(champion) == (bad, None)


def test_the_file_of_the_champion_may_arrive_later(champion: Champion, registry: Registry) -> None:
    version = registry.register(FIRST)
    path = registry.folder / "models" / f"{version}.npz"
    path.rename(path.with_suffix(".later"))
    registry.promote(version)
    assert look(champion) == (None, f"{version}.npz cannot be opened (No such file or directory)")
    path.with_suffix(".later").rename(path)
    assert look(champion) == (version, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"champion": 7}', "names no version"),
        (b'{"champion": "../../20261129T000000Z-00000000"}', "names no version"),
    ],
)
def test_an_event_that_cannot_be_read_changes_nothing(
    champion: Champion, registry: Registry, content: bytes, said: str
) -> None:
    first = registry.register(FIRST)
    registry.promote(first)
    look(champion)
    event = registry.folder / "history" / "00000003.json"
    event.write_bytes(content)
    version, problem = look(champion)
    assert version == first
    assert problem
    assert problem.startswith("history/00000003.json of the registry ")
    assert said in problem
    event.unlink()
    assert look(champion) == (first, None)


def test_other_files_in_the_history_are_no_events(champion: Champion, registry: Registry) -> None:
    first = registry.register(FIRST)
    registry.promote(first)
    for name in ("00000009.json.part", "99999999.txt", "notes.json", "000000009.json"):
        (registry.folder / "history" / name).write_text("{")
    assert look(champion) == (first, None)
