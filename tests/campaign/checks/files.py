"""Each fetched file is the window of one version, and each ranking is that of its input files."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from unit.fetched_files import rows_of

from airflow_movielens.ranking import RankingOptions
from airflow_movielens.storage.rank import rank_files
from tests.campaign.checks.evidence import Evidence
from tests.campaign.journal import Fact
from tests.campaign.plan import COLUMNS, SCHEMA, seconds_of

_READERS: dict[str, Callable[[Path, pl.Schema], pl.DataFrame]] = {
    ".json": lambda path, schema: pl.read_json(path, schema=schema),
    ".ndjson": lambda path, schema: pl.read_ndjson(path, schema=schema),
    ".csv": lambda path, schema: pl.read_csv(path, schema=schema),
    ".parquet": lambda path, _: pl.read_parquet(path),
}


def check_fetched(evidence: Evidence) -> list[str]:
    """Check all files that fetches have left, also those that were seen after a fetch was killed."""
    facts = [*evidence.facts["fetched"], *evidence.facts["seen"]]
    found = ((fact, _fault_of_file(evidence, fact)) for fact in facts)
    return [f"{fact['name']} ({fact['what']}, {fact['route']}): {fault}" for fact, fault in found if fault]


def _fault_of_file(evidence: Evidence, fact: Fact) -> str | None:
    if fact["file"] is None:
        return "it does not exist" if fact["what"] == "fetched" else None
    path = evidence.folder / "kept" / fact["file"]
    content = path.read_bytes()
    try:
        rows = pl.DataFrame(rows_of(content, path.name), schema=SCHEMA)
    except Exception as error:  # noqa: BLE001 - whatever a half file causes
        return f"it cannot be read: {error!r}"
    manifest = evidence.manifest(fact)
    return _fault_of_manifest(fact, manifest, content, rows) or _fault_of_rows(evidence, fact, manifest, rows)


def _fault_of_manifest(fact: Fact, manifest: dict[str, Any] | None, content: bytes, rows: pl.DataFrame) -> str | None:
    if manifest is None:
        return "it has no manifest" if fact["what"] == "fetched" else None
    said = [manifest[name] for name in ("sha256", "bytes", "rows", "start_date", "end_date", "quarantined")]
    is_right = [hashlib.sha256(content).hexdigest(), len(content), len(rows), fact["start"], fact["end"], 0]
    return None if said == is_right else f"its manifest says {said} instead of {is_right}"


def _fault_of_rows(evidence: Evidence, fact: Fact, manifest: dict[str, Any] | None, rows: pl.DataFrame) -> str | None:
    history = evidence.history
    start, end = (seconds_of(date.fromisoformat(fact[name])) for name in ("start", "end"))
    window = history.window(start, end)
    name = manifest["snapshot"] if manifest else None
    if name is None:
        with_versions = rows.join(window, on=COLUMNS, how="left")
        if unknown := with_versions["version"].null_count():
            return f"{unknown} of its {len(rows)} ratings were never posted"
        last = int(with_versions["version"].max() or 0)  # type: ignore[arg-type]
        version = history.boundaries[min(bisect_left(history.boundaries, last), len(history.boundaries) - 1)]
    elif name not in evidence.versions or evidence.versions[name] not in history.boundaries:
        return f"its snapshot {name} is not one between two posts"
    else:
        version = evidence.versions[name]
    expected = window.filter(pl.col("version") <= version)
    if not rows.equals(expected.select(COLUMNS)):
        return f"its {len(rows)} ratings are not the {len(expected)} of version {version}"
    since = history.acknowledged_before(fact["begun"])
    if len(rows) < len(window.filter(pl.col("version") <= since)):
        return f"it lacks ratings that were acknowledged before the fetch began: version {version}, then {since}"
    late = expected.filter(pl.col("sent") > fact["at"])
    return f"{len(late)} of its ratings were posted after it ended" if len(late) else None


def check_ranked(evidence: Evidence) -> list[str]:
    """Compute each ranking again from the files that its manifest names."""
    fetched = {
        (fact["name"], manifest["sha256"]): evidence.folder / "kept" / fact["file"]
        for fact in [*evidence.facts["fetched"], *evidence.facts["seen"]]
        if fact["file"] and (manifest := evidence.manifest(fact))
    }
    found = ((fact, _fault_of_ranking(evidence, fact, fetched)) for fact in evidence.facts["ranked"])
    return [f"{fact['name']}: {fault}" for fact, fault in found if fault]


def _fault_of_ranking(evidence: Evidence, fact: Fact, fetched: dict[tuple[str, str], Path]) -> str | None:
    manifest, path = evidence.manifest(fact), evidence.folder / "kept" / fact["file"]
    if manifest is None:
        return "it has no manifest"
    if manifest["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
        return "it is not the file that its manifest describes"
    keys = [(Path(each["path"]).name, each["sha256"]) for each in manifest["inputs"]]
    if unknown := [name for name, sha256 in keys if (name, sha256) not in fetched]:
        return f"its inputs {unknown} are not files that were ever fetched"
    inputs = [str(fetched[key]) for key in keys]
    options = RankingOptions(manifest["method"], manifest["min_ratings"], parameters=manifest["parameters"])
    anew, _ = rank_files(inputs, options, None, None)
    try:
        written = _READERS[path.suffix](path, anew.schema)
    except pl.exceptions.PolarsError as error:
        return f"it cannot be read: {error}"
    return None if written.equals(anew) else "it is not the ranking of its inputs"
