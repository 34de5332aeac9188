"""Versions of models, and which of them is served."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from unit import brute_force_model as slow
from unit.crashes import Death, Killed
from unit.registry_processes import refuse_without_lock, register_and_promote
from unit.warm_processes import CONTEXT

from airflow_movielens.recommending import ModelParameters, load_model, train
from airflow_movielens.recommending.registry import Aliases, ModelRegistry

WHO = {"by": "ada", "reason": "a test"}
MODEL = train(slow.awkward_ratings().head(9), ModelParameters(min_likes=4))


def another(number):
    """Return another model for each number."""
    return replace(MODEL, parameters=ModelParameters(trend=float(number)))


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path / "registry")


def registered(registry, *numbers):
    return [registry.register(another(number), **WHO) for number in numbers]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_registry_is_empty_and_creates_nothing_until_a_model_is_registered(registry):
    assert registry.aliases() == Aliases(None, None, None)
    assert registry.history() == registry.models() == []
    for action in (registry.promote, registry.refuse):
        with pytest.raises(LookupError, match="has no models: register one first"):
            action("challenger", **WHO)
    with pytest.raises(LookupError, match="has no models: register one first"):
        registry.rollback(**WHO)
    with pytest.raises(LookupError, match="has no champion: see `movielens models list`"):
        registry.path_of("champion")
    assert not registry.folder.exists()


def test_a_registered_model_is_the_challenger(registry):
    (version,) = registered(registry, 1)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", version)
    registered_at = datetime.strptime(version[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert datetime.now(UTC) - registered_at < timedelta(minutes=5)
    assert registry.aliases() == Aliases(None, version, None)
    assert load_model(registry.path_of("challenger")).parameters == another(1).parameters
    assert files_of(registry.folder) == ["history/00000001.json", f"models/{version}.npz"]


def test_a_promoted_model_is_the_champion_and_the_one_before_is_the_previous(registry):
    first, second = registered(registry, 1, 2)
    registry.promote(first, **WHO)
    assert registry.aliases() == Aliases(first, second, None)
    registry.promote("challenger", **WHO)
    assert registry.aliases() == Aliases(second, None, first)
    (third,) = registered(registry, 3)
    assert registry.aliases() == Aliases(second, third, first)


def test_a_refused_model_changes_no_alias(registry):
    first, second = registered(registry, 1, 2)
    registry.promote(first, **WHO)
    registry.refuse(second, by="gate", reason="worse", figures={"p": 0.4})
    assert registry.aliases() == Aliases(first, second, None)
    last = registry.history()[-1]
    assert (last.action, last.model, last.by, last.reason, last.figures) == (
        "refuse",
        second,
        "gate",
        "worse",
        {"p": 0.4},
    )


def test_a_rollback_exchanges_champion_and_previous(registry):
    first, second = registered(registry, 1, 2)
    registry.promote(first, **WHO)
    with pytest.raises(LookupError, match="has no previous"):
        registry.rollback(**WHO)
    registry.promote(second, **WHO)
    registry.rollback(**WHO)
    assert registry.aliases() == Aliases(first, None, second)
    assert registry.history()[-1].model == first
    registry.rollback(**WHO)
    assert registry.aliases() == Aliases(second, None, first)


def test_a_champion_is_never_the_challenger(registry):
    first, second = registered(registry, 1, 2)
    registry.promote(first, **WHO)
    registry.promote(second, **WHO)
    registered(registry, 1)
    assert registry.aliases() == Aliases(second, first, first)
    registry.rollback(**WHO)
    assert registry.aliases() == Aliases(first, None, second)


def test_an_event_says_who_did_what_when_why_and_with_which_figures(registry):
    (version,) = registered(registry, 1)
    registry.promote(version, by="gate", reason="better than what is trending", figures={"p": 0.001, "users": 217})
    event = json.loads((registry.folder / "history" / "00000002.json").read_text())
    assert datetime.now(UTC) - datetime.fromisoformat(event.pop("at")) < timedelta(minutes=5)
    assert event == {
        "number": 2,
        "action": "promote",
        "model": version,
        "by": "gate",
        "reason": "better than what is trending",
        "figures": {"p": 0.001, "users": 217},
        "champion": version,
        "challenger": None,
        "previous": None,
    }


def test_repeating_an_action_adds_no_event(registry, tmp_path):
    """So a task can be retried after any of them."""
    first, second = registered(registry, 1, 2)
    another(2).save(tmp_path / "model.npz")
    assert registry.register(tmp_path / "model.npz", **WHO) == second
    assert len(registry.history()) == 2
    for times in range(2):
        registry.promote(first, by=f"time {times}", reason="again")
    assert registered(registry, 1) == [first]
    assert len(registry.history()) == 3
    for times in range(2):
        registry.refuse(second, by=f"time {times}", reason="again")
    assert len(registry.history()) == 4
    assert registry.aliases() == Aliases(first, second, None)
    assert len(files_of(registry.folder / "models")) == 2


def test_a_model_that_is_registered_again_later_keeps_its_version(registry):
    first, second, again = registered(registry, 1, 2, 1)
    assert again == first != second
    assert registry.aliases().challenger == first
    assert [version for version, _ in registry.models()] == [first, second]
    assert len(registry.history()) == 3


def test_the_models_of_a_registry_have_their_headers(registry):
    first, second = registered(registry, 1, 2)
    registry.path_of(first).unlink()
    (one, nothing), (two, header) = registry.models()
    assert (one, two, nothing) == (first, second, {})
    assert header["parameters"]["trend"] == 2.0
    assert header["trained_on"] == asdict(another(2).trained_on)


@pytest.mark.parametrize("content", [b"userId,movieId", b"PK\x03\x04cut"])
def test_a_damaged_or_foreign_file_is_not_registered(content, registry, tmp_path):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.npz (holds no model|is damaged)"):
        registry.register(tmp_path / "model.npz", **WHO)
    with pytest.raises(FileNotFoundError):
        registry.register(tmp_path / "none.npz", **WHO)
    assert files_of(registry.folder) == []


def test_unknown_models_are_named(registry):
    registered(registry, 1)
    for wrong in ("latest", "../../secret", "20260101T000000Z-01234567"):
        with pytest.raises(LookupError, match=r"has no model '.*': give a version, champion, challenger or previous"):
            registry.path_of(wrong)
        with pytest.raises(LookupError, match=re.escape(repr(wrong))):
            registry.promote(wrong, **WHO)
    registry.path_of("challenger").unlink()
    with pytest.raises(LookupError, match=r"\.npz is missing: restore it from a backup, or choose another model"):
        registry.promote("challenger", **WHO)
    assert len(registry.history()) == 1


def test_an_event_without_a_person_or_a_reason_is_refused(registry):
    with pytest.raises(ValueError, match="register without a reason or a person: say who does it, and why"):
        registry.register(another(1), by="ada", reason=" ")
    with pytest.raises(ValueError, match="figures cannot be written as JSON"):
        registry.promote(registered(registry, 1)[0], **WHO, figures={"p": float("nan")})
    assert len(registry.history()) == 1


def test_a_url_is_refused():
    with pytest.raises(ValueError, match="the registry s3://bucket/models is a URL: give a local folder"):
        ModelRegistry("s3://bucket/models")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", r"00000002\.json is damaged \(.*\): restore it from a backup"),
        (lambda text: text[:60], r"is damaged \(.*\): restore it from a backup"),
        (lambda _: "[1]", "is no event of a registry of models: remove it, or restore it from a backup"),
        (lambda _: '{"number": 2}', "is no event of a registry of models"),
        (lambda text: text.replace('"number": 2', '"number": 3'), r"is damaged \(wrong number\)"),
        (lambda text: text.replace('"champion": "', '"champion": "../'), r"is damaged \(wrong champion\)"),
        (lambda text: text.replace('"figures": {}', '"figures": []'), r"is damaged \(wrong figures\)"),
        (lambda text: text.replace('"promote"', '"archive"'), "has the action 'archive', which this version .* install a later one"),
    ],
)  # fmt: skip
def test_a_damaged_foreign_or_newer_event_is_named(change, message, registry):
    registry.promote(registered(registry, 1)[0], **WHO)
    event = registry.folder / "history" / "00000002.json"
    event.write_text(change(event.read_text()))
    for read in (registry.aliases, registry.history, lambda: registry.path_of("champion")):
        with pytest.raises(ValueError, match=message) as caught:
            read()
        assert str(event) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=message):
        registered(registry, 2)


def test_a_missing_event_is_named(registry):
    registered(registry, 1, 2, 3)
    (registry.folder / "history" / "00000002.json").unlink()
    with pytest.raises(
        ValueError, match=r"00000002\.json is missing: restore the folder of the registry from a backup"
    ):
        registry.history()


def test_other_files_in_the_folder_are_ignored(registry):
    (version,) = registered(registry, 1)
    for name in ("README.txt", ".partial-0-00000002.json", "00000009.json.bak"):
        (registry.folder / "history" / name).write_text("{")
    (registry.folder / "models" / "unregistered.npz").write_text("x")
    registry.promote(version, **WHO)
    assert [event.number for event in registry.history()] == [1, 2]
    assert [known for known, _ in registry.models()] == [version]


@pytest.mark.parametrize("kind", ["file", "torn"])
def test_a_registration_that_is_killed_leaves_nothing_visible(kind, tmp_path):
    killed = 0
    for step in count(1):
        registry = ModelRegistry(tmp_path / f"{step}")
        (first,) = registered(registry, 1)
        before = registry.history()
        death = Death((kind, step), registry.folder)
        with suppress(Killed), death.watching():
            registered(registry, 2)
            break
        killed += 1
        death.restore()
        versions = [version for version, _ in registry.models()]
        assert len(versions) == len(registry.history())
        if len(versions) == 1:
            assert registry.history() == before
            assert registry.aliases() == Aliases(None, first, None)
        # A retry completes it, and the file of the first attempt is not left behind.
        (second,) = registered(registry, 2)
        assert registry.aliases().challenger == second
        assert load_model(registry.path_of(second)).parameters == another(2).parameters
        assert len(registry.history()) == 2
        models = {f"models/{version}.npz" for version in (first, second)}
        assert {name for name in files_of(registry.folder) if name.endswith(".npz")} == models
    assert killed >= {"file": 6, "torn": 2}[kind]


def checked_history(registry):
    """Return the history, after checking that each event follows from the one before."""
    history = registry.history()
    aliases = Aliases()
    for number, event in enumerate(history, start=1):
        assert event.number == number
        if event.action == "register":
            aliases = Aliases(aliases.champion, event.model, aliases.previous)
        elif event.action == "promote":
            challenger = None if event.model == aliases.challenger else aliases.challenger
            aliases = Aliases(event.model, challenger, aliases.champion)
        assert event.aliases == aliases
    assert registry.aliases() == aliases
    return history


def joined(processes):
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.mark.slow
def test_no_event_of_many_processes_is_lost_or_doubled(registry):
    barrier = CONTEXT.Barrier(20)
    processes = [
        CONTEXT.Process(target=register_and_promote, args=(registry.folder, number, another(number), barrier))
        for number in range(20)
    ]
    for process in processes:
        process.start()
    joined(processes)
    history = checked_history(registry)
    assert len(history) == 40
    for action in ("register", "promote"):
        events = [event for event in history if event.action == action]
        assert len({event.model for event in events}) == len({event.by for event in events}) == len(events) == 20
    for version, header in registry.models():
        (promoted,) = [event for event in history if (event.action, event.model) == ("promote", version)]
        assert promoted.figures == {"number": header["parameters"]["trend"]}
        load_model(registry.path_of(version))
    assert not [name for name in files_of(registry.folder) if "partial" in name]


@pytest.mark.slow
def test_no_event_is_lost_without_locks(registry):
    """As on a file system that has none: creating the file decides who was first."""
    first, second = registered(registry, 1, 2)
    other = CONTEXT.Process(target=refuse_without_lock, args=(registry.folder, 60))
    other.start()
    times = 0
    while other.is_alive() or times < 60:
        registry.promote((first, second)[times % 2], by="with lock", reason=str(times))
        times += 1
    joined([other])
    history = checked_history(registry)
    assert [event.reason for event in history if event.by == "with lock"] == [str(time) for time in range(times)]
    assert [event.reason for event in history if event.by == "no lock"] == [str(time) for time in range(60)]


def test_the_readable_events_of_a_damaged_registry_are_read(registry):
    first, second = registered(registry, 1, 2)
    registry.promote(first, **WHO)
    events, problems = registry.readable_history()
    assert ([event.action for event in events], problems) == (["register", "register", "promote"], [])
    (registry.folder / "history" / "00000002.json").write_text("{")
    events, problems = registry.readable_history()
    assert [event.number for event in events] == [1, 3]
    (problem,) = problems
    assert re.search(r"00000002\.json is damaged \(.*\): restore it from a backup", problem)
    with pytest.raises(ValueError, match=r"00000002\.json is damaged"):
        registry.history()
    assert registry.aliases() == Aliases(first, second, None)
