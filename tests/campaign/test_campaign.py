"""A short campaign, killed and continued; and each of its checks, which must find what is planted."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from unit.secret_forms import FORMS

from tests.campaign.checks import CHECKS, files, leftovers, processes, ratings, secrets
from tests.campaign.checks.evidence import Evidence
from tests.campaign.plan import NEVER_POSTED, Plan

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.campaign"]
SEED, ROWS = 10, 3000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("campaign")]


def start(*options, **how):
    return subprocess.Popen(
        [*COMMAND, *options], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder and the report of a campaign that was killed, and continued for a few seconds."""
    folder = tmp_path_factory.mktemp("campaign")
    options = ["--seed", str(SEED), "--rows", str(ROWS), "--folder", str(folder)]
    with start(*options, "--minutes", "5") as first:
        journal = folder / "journal.ndjson"
        deadline = time.monotonic() + 120
        while not (journal.exists() and '"acknowledged"' in journal.read_text()):
            assert first.poll() is None, first.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        first.kill()
    with start(*options, "--minutes", "0.1") as second:
        report = second.communicate(timeout=300)[0]
    assert second.returncode in {0, 1}, report
    return folder, report


@pytest.fixture
def evidence(finished, tmp_path):
    """Return a copy of the evidence, to change it."""
    shutil.copytree(finished[0], tmp_path / "campaign")
    return Evidence.of(tmp_path / "campaign")


def test_a_continued_campaign_finds_nothing(finished):
    folder, report = finished
    assert report.count("| 0 faults | yes |") == len(CHECKS), report
    assert f"To repeat: python -m tests.campaign --seed {SEED} --rows {ROWS} --minutes 0.1" in report
    facts = [json.loads(line) for line in (folder / "journal.ndjson").read_text().splitlines()]
    for what in ("acknowledged", "fetched", "ranked"):
        assert [fact for fact in facts if fact["what"] == what], what


def test_a_folder_holds_one_campaign(finished):
    with start("--seed", str(SEED + 1), "--folder", str(finished[0]), "--minutes", "1") as other:
        said = other.communicate(timeout=60)[0]
    assert other.returncode == 1
    assert f"holds the campaign --seed {SEED} --rows {ROWS}: continue that" in said


def test_a_campaign_that_is_stopped_stops_everything(tmp_path):
    with start("--rows", "100", "--folder", str(tmp_path)) as campaign:
        log = tmp_path / "logs/access.log"
        while not (log.exists() and log.stat().st_size):
            assert campaign.poll() is None, campaign.communicate()[0]
            time.sleep(0.1)
        campaign.send_signal(signal.SIGINT)
        said = campaign.communicate(timeout=60)[0]
    assert campaign.returncode == 130
    assert "to continue: python -m tests.campaign --seed" in said
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], check=False, stdout=subprocess.DEVNULL).returncode == 1


@pytest.mark.long
def test_two_minutes_find_nothing(tmp_path):
    with start("--folder", str(tmp_path), "--minutes", "2") as campaign:
        report = campaign.communicate(timeout=1200)[0]
    assert campaign.returncode == 0, report


def served_as(evidence, served):
    served.write_parquet(evidence.folder / "served.parquet")
    return Evidence.of(evidence.folder)


def test_a_lost_rating_is_found(evidence):
    assert ratings.check_served(evidence) == []
    [posted, *_] = evidence.history.rows.filter(pl.col("version") > 0)["userId"]
    rest = evidence.served.filter(pl.col("userId") != posted)
    lost = len(evidence.served) - len(rest)
    [fault] = ratings.check_served(served_as(evidence, rest))
    assert fault.startswith(f"{lost} ratings of the dataset or acknowledged are not served, such as")


def test_a_rating_twice_is_found(evidence):
    twice = pl.concat([evidence.served, evidence.served.head(1)])
    assert ratings.check_served(served_as(evidence, twice)) == ["1 ratings are served twice"]


@pytest.mark.parametrize(
    ("user", "what"), [(NEVER_POSTED, "of posts that were never sent whole"), (7, "that nobody posted")]
)
def test_an_invented_rating_is_found(evidence, user, what):
    other = evidence.served.head(1).with_columns(userId=pl.lit(user, pl.Int32), movieId=pl.lit(9999, pl.Int32))
    [fault] = ratings.check_served(served_as(evidence, pl.concat([evidence.served, other])))
    assert fault.startswith("1 ratings")
    assert what in fault


def test_posts_that_overlap_are_found(evidence):
    assert ratings.check_order(evidence) == []
    first, second, *rest = evidence.history.posts
    posts = [first, replace(second, version=(second.version or 0) - 1), *rest]
    evidence.__dict__["history"] = replace(evidence.history, posts=posts)
    assert len(ratings.check_order(evidence)) == 2


def test_a_post_that_is_acknowledged_twice_or_never_is_found(evidence):
    again, never = evidence.facts["acknowledged"][0], evidence.facts["acknowledged"].pop()
    evidence.facts["acknowledged"].append(again)
    faults = ratings.check_order(evidence)
    assert "1 posts were acknowledged more than once to a writer" in faults
    assert f"1 posts were never acknowledged: [({never['writer']}, {never['number']})]" in faults


def fetched(evidence, ending=""):
    """Return a fact about a fetched file with ratings, and its path."""
    for fact in evidence.facts["fetched"]:
        path = evidence.folder / "kept" / fact["file"]
        if path.name.endswith(ending) and evidence.manifest(fact)["rows"] > 1:
            return fact, path
    raise AssertionError(f"the seed fetches no file {ending}: choose another")


def without_manifest(fact):
    fact |= {"what": "seen", "manifest": None}


def test_half_a_file_is_found(evidence):
    assert files.check_fetched(evidence) == []
    fact, path = fetched(evidence)
    without_manifest(fact)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    [fault] = files.check_fetched(evidence)
    assert fact["name"] in fault


def test_a_manifest_of_another_file_is_found(evidence):
    _, path = fetched(evidence)
    path.write_bytes(path.read_bytes() + b"\n")
    [fault] = files.check_fetched(evidence)
    assert "manifest says" in fault or "cannot be read" in fault


def test_a_file_of_two_versions_is_found(evidence):
    fact, _ = fetched(evidence)
    without_manifest(fact)
    window = evidence.history.window(0, 1 << 40)
    # All but one of the ratings of an early post, and all later ones.
    first = window.filter(pl.col("version") == 1)
    mixed = window.filter(pl.col("version") != 1).select("userId", "movieId", "rating", "timestamp")
    assert len(first) == 1
    fact |= {"start": "2020-01-01", "end": "2020-01-31", "file": "mixed.ndjson"}
    mixed.write_ndjson(evidence.folder / "kept/mixed.ndjson")
    [fault] = files.check_fetched(evidence)
    assert "are not the" in fault


def test_a_file_that_is_too_old_or_too_new_is_found(evidence):
    whole = evidence.history.rows
    fact, _ = fetched(evidence)
    without_manifest(fact)
    fact |= {"start": "2020-01-01", "end": "2020-01-31", "file": "whole.ndjson", "at": fact["begun"]}
    whole.select("userId", "movieId", "rating", "timestamp").write_ndjson(evidence.folder / "kept/whole.ndjson")
    [fault] = files.check_fetched(evidence)
    assert "posted after it ended" in fault
    old = whole.filter(pl.col("version") == 0).select("userId", "movieId", "rating", "timestamp")
    old.write_ndjson(evidence.folder / "kept/whole.ndjson")
    fact |= {"begun": time.time(), "at": time.time()}
    [fault] = files.check_fetched(evidence)
    assert "lacks ratings that were acknowledged before" in fault


def test_a_missing_file_is_found(evidence):
    fact, _ = fetched(evidence)
    fact |= {"file": None}
    assert files.check_fetched(evidence) == [f"{fact['name']} (fetched, {fact['route']}): it does not exist"]


def test_a_ranking_of_other_ratings_is_found(evidence):
    assert files.check_ranked(evidence) == []
    fact = evidence.facts["ranked"][0]
    path, manifest = evidence.folder / "kept" / fact["file"], evidence.manifest(fact)
    manifest["min_ratings"] += 1
    (evidence.folder / "kept" / fact["manifest"]).write_text(json.dumps(manifest))
    assert files.check_ranked(evidence) == [f"{fact['name']}: it is not the ranking of its inputs"]
    path.write_bytes(path.read_bytes() + b"\n")
    assert files.check_ranked(evidence) == [f"{fact['name']}: it is not the file that its manifest describes"]


@pytest.mark.parametrize(
    "name",
    [
        "fetched/.partial-fetch-0-00000.csv-0123456789abcdef/lock",
        "fetched/.0123",
        "ranked/a.csv.new",
        "tmp/airflow-movielens-x",
        "server/store/a/ratings.db-wal",
        "server/users.new",
    ],
)
def test_a_left_file_is_found(evidence, name):
    assert leftovers.check(evidence) == []
    left = evidence.folder / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.touch()
    faults = leftovers.check(evidence)
    assert faults
    assert all(fault.endswith(" is left") for fault in faults)


def test_a_secret_in_any_encoding_is_found(evidence):
    assert secrets.check(evidence) == []
    forms = {
        **FORMS,
        "base64 with the user": lambda text: b64encode(f"any-user:{text}".encode()).decode(),
        "reversed": lambda text: text[::-1],
    }
    planted = evidence.plan.secrets(evidence.tokens)
    assert len(planted) == 7
    for owner, secret in planted.items():
        for form, written in forms.items():
            (evidence.folder / f"logs/{owner} {form}.log").write_text(f"something {written(secret)} something\n")
        (evidence.folder / f"kept/{owner}.csv.gz").write_bytes(gzip.compress(secret.encode()))
    found = {fault.partition(" holds the secret of ")[0] for fault in secrets.check(evidence)}
    assert found == {
        *(f"logs/{owner} {form}.log" for owner in planted for form in forms),
        *(f"kept/{owner}.csv.gz" for owner in planted),
    }


def test_a_traceback_is_found(evidence):
    log = evidence.folder / "logs/server-000.log"
    with log.open("a") as file:
        file.write(
            '2026 ERROR it broke\nTraceback (most recent call last):\n  File "a.py", line 1\n    x\nOSError: it\n'
        )
    assert processes.check_logs(evidence)[-1] == "1 tracebacks in the server's log: OSError: it"


@pytest.mark.parametrize("what", ["files", "threads", "megabytes"])
def test_growth_is_found(evidence, what):
    assert processes.check_resources(evidence) == []
    evidence.facts["resources"][-1][what] += 1000
    [fault] = processes.check_resources(evidence)
    assert what in fault


def test_a_failure_is_found(evidence):
    assert processes.check_commands(evidence) == []
    evidence.facts["failed"].append({"fetcher": 1, "number": 2, "fault": "exit status 1"})
    evidence.facts["problem"].append({"problem": "it did not start"})
    assert processes.check_commands(evidence) == ["fetcher 1, number 2: exit status 1", "it did not start"]


def test_the_plan_follows_from_the_seed():
    assert [Plan(1, 100).post(0, number) for number in range(9)] == [
        Plan(1, 100).post(0, number) for number in range(9)
    ]
    assert Plan(1, 100).secrets({}) != Plan(2, 100).secrets({})
