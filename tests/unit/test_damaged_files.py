"""Our own files in JSON after somebody has changed them: read, or refused with the error that the reader documents."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.catalogue_processes import record_of
from unit.damaged_json import DEEP, changed, damaged

from airflow_movielens.client.fetch.checkpoint import Checkpoint, FileCheckpoints, _seal
from airflow_movielens.client.rows import Bookmark
from airflow_movielens.plugin.outputs import output_of, outputs_by_kind
from airflow_movielens.plugin.ranking_kinds import ranking_kinds
from airflow_movielens.recommending.evaluation.result import Evaluation
from airflow_movielens.recommending.events import Aliases, Event, event_file, read_event
from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Catalogue
from airflow_movielens.storage.catalogue.manifests import records_in
from airflow_movielens.storage.catalogue.movies import from_json
from airflow_movielens.storage.catalogue.records import KINDS, Record

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

BOOKMARK = Bookmark("section", 7, 5, 20, (1, 2, 0.5, 3), (1, 2, 0.5, 3), "s", "/ratings?cursor=c", "application/json")
EMPTY = Checkpoint("k" * 16)
CHECKPOINT = {
    **Checkpoint("k" * 16, ("0123456789abcdef-0.arrow",), 10, 20, 7, 0, BOOKMARK).to_dict(),
    "saved_at": "2026-11-29T00:00:00+00:00",
}
del CHECKPOINT["seal"]
VERSION = "20261129T020000Z-0a1b2c3d"
EVENT = Event(
    1,
    "2026-11-29T02:00:00Z",
    "promote",
    VERSION,
    "ada",
    "it is better",
    {"trending": {"low": 0.1}},
    VERSION,
    None,
    None,
)
FACTS = {
    "fetch": {"start_date": "2015-03-07", "end_date": "2015-03-08", "rows": 5, "quarantined": 1, "histogram": [0] * 10,
              "fetch": {"seconds": 1.5}, "sha256": "0", "source": "http://a", "snapshot": None},
    "ranking": {"start_date": "2015-03-01", "end_date": "2015-03-08", "method": "mean", "rows": 3, "ratings": 9,
                "days": 7, "parameters": {"min_ratings": 1}, "compare_to": None, "input_folders": ["/data"]},
    "training": {"version": VERSION, "registry": "/data/r", "ratings": 9, "users": 3, "first_day": "2015-03-01",
                 "last_day": "2015-03-02"},
    "evaluation": {"challenger": VERSION, "registry": "/data/r", "sentences": ["It is better."]},
    "promotion": {"version": VERSION, "registry": "/data/r", "is_promoted": True, "reason": "better", "figures": {}},
    "recommendations": {"registry": "/data/r", "rows": 3, "users": 1, "model": VERSION},
}  # fmt: skip


def record(kind):
    values = record_of(0).to_dict()
    return {**values, "kind": kind, "facts": FACTS[kind]}


@fuzzed
@given(values=changed(CHECKPOINT), is_sealed=st.booleans())
def test_a_changed_checkpoint_is_read_or_refused(values, is_sealed):
    # Sealed, it is as if an earlier version had written it.
    if is_sealed and isinstance(values, dict):
        values = {**values, "seal": _seal(values)}
    try:
        found = Checkpoint.from_dict(values)
    except ValueError:
        return
    assert is_sealed
    assert found.is_old in (True, False)
    assert all("/" not in name for name in found.files)


@fuzzed
@given(content=damaged(json.dumps(EMPTY.to_dict()).encode()))
@example(content=DEEP)
def test_a_damaged_file_of_a_checkpoint_is_read_or_refused(tmp_path, content):
    (tmp_path / "checkpoint.json").write_bytes(content)
    try:
        values = FileCheckpoints(tmp_path / "checkpoint.json").load()
        assert values is None or Checkpoint.from_dict(values)
    except ValueError:
        pass


@fuzzed
@given(content=damaged(EVENT.to_json().encode()))
@example(content=DEEP)
def test_a_damaged_event_of_a_registry_is_read_or_refused(tmp_path, content):
    history = tmp_path / "history"
    history.mkdir(exist_ok=True)
    event_file(history, 1).write_bytes(content)
    events, problems = ModelRegistry(tmp_path).readable_history()
    assert len(events) + len(problems) == 1
    assert not any("\n" in problem for problem in problems)
    if events:
        assert events == [read_event(history, 1)]
        assert isinstance(events[0].aliases, Aliases)
        assert asdict(events[0])["number"] == 1


@fuzzed
@given(values=st.sampled_from(KINDS).flatmap(lambda kind: changed(record(kind))))
@example(values={**record("fetch"), "task": []})
@example(values={**record("ranking"), "facts": {**FACTS["ranking"], "rows": None}})
@example(values={**record("ranking"), "facts": {**FACTS["ranking"], "start_date": None}})
def test_a_changed_record_is_refused_or_described(values):
    values = json.loads(json.dumps(values))
    try:
        found = Record.from_dict(values)
    except ValueError:
        return
    assert output_of(found, "/data").name is not None
    assert outputs_by_kind([found, found], "/data") is not None
    assert all(kind.window > 0 or kind.rankings for kind in ranking_kinds([found], "/data"))
    assert Record.from_dict(json.loads(found.to_json())).to_dict().keys() == found.to_dict().keys()


@fuzzed
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_a_damaged_index_hides_no_other_one(tmp_path_factory, kind, data):
    root = tmp_path_factory.mktemp("root")
    index = root / f".movielens-catalogue/{kind}/2015-03.json"
    index.parent.mkdir(parents=True)
    whole = {"layout": 1, "entries": {"20150308T010000Z-1.json": record(kind), "20150308T010000Z-2.json": record(kind)}}
    index.with_name("2015-02.json").write_text(json.dumps(whole))
    index.write_bytes(data.draw(damaged(json.dumps(whole).encode())))
    found = Catalogue(str(root)).records(kind)
    assert len(found.records) >= 2
    assert len(found.records) + len(found.problems) >= 2


@fuzzed
@given(content=damaged(b'{"1": ["Toy Story", 1995, ["Comedy"]], "2": ["Heat", null, []]}'))
def test_damaged_movies_of_a_catalogue_are_read_or_refused(content):
    try:
        movies = from_json(content)
    except ValueError:
        return
    assert all(isinstance(movie.title, str) for movie in movies.values())


@fuzzed
@given(content=damaged(b'{"format": "airflow-movielens-evaluation", "format_version": 1, "made_at": "2026-11-29"}'))
@example(content=DEEP)
def test_a_damaged_evaluation_is_read_or_refused(tmp_path, content):
    (tmp_path / "evaluation.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"evaluation\.json"):
        Evaluation.load(tmp_path)


MANIFEST = {"fetched_at": "2015-03-08T01:00:00+00:00", "path": "a.csv", "rows": 5, "start_date": "2015-03-07",
            "end_date": "2015-03-08", "task": {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1,
                                               "try_number": 1}}  # fmt: skip
RANKED = {"ranked_at": "2015-03-08T01:00:00+00:00", "path": "b.csv", "inputs": [{"path": "a.csv"}], "compare_to": [],
          "movies": [], "rows": 5, "start_date": "2015-03-07", "end_date": "2015-03-08"}  # fmt: skip


@fuzzed
@given(content=st.sampled_from([MANIFEST, RANKED]).flatmap(lambda values: damaged(json.dumps(values).encode())))
@example(content=json.dumps({**RANKED, "end_date": -1}).encode())
@example(content=DEEP)
def test_a_damaged_manifest_hides_no_other_file(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("root")
    for name in ("a.csv", "b.csv"):
        (root / name).touch()
        (root / f".{name}.manifest.json").write_text(json.dumps(MANIFEST))
    (root / ".a.csv.manifest.json").write_bytes(content)
    found = list(records_in(str(root)))
    assert {each.path for each in found} >= {str(root / "b.csv")}
    Catalogue(str(root / "new")).add_all(found)
