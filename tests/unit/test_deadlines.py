"""The deadline reference as Airflow stores it, and the alert of a missed deadline."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from airflow_movielens.client import FatalError
from airflow_movielens.deadlines import PartitionDeadline, log_missed_deadline, missed_deadline_message

partitioned = pytest.mark.airflow("3.2")
DUE = datetime(2026, 11, 21, 6, tzinfo=UTC)


def context(**run):
    """Return what Airflow passes to a callback: a run as in its REST API."""
    parts = {"dag_id": "06_ratings", "dag_run_id": "scheduled__2026-11-21", "state": "running"}
    return {
        "dag_run": {**parts, "partition_key": "2026-11-20", "partition_date": "2026-11-20T00:00:00Z", **run},
        "deadline": {"id": "0", "deadline_time": DUE},
    }


@partitioned
def test_airflow_restores_the_reference_from_what_it_stores():
    from airflow.serialization.decoders import decode_deadline_reference
    from airflow.serialization.encoders import encode_deadline_reference

    stored = json.loads(json.dumps(encode_deadline_reference(PartitionDeadline(timedelta(hours=100)))))
    restored = decode_deadline_reference(stored).inner_ref
    assert isinstance(restored, PartitionDeadline)
    assert restored.max_age == timedelta(hours=100)


@partitioned
@pytest.mark.parametrize("max_age", [timedelta(0), timedelta(days=-1)])
def test_an_age_that_no_run_has_is_rejected(max_age):
    with pytest.raises(FatalError, match="give the age, such as"):
        PartitionDeadline(max_age)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({}, r"2026-11-20 has not landed: 06_ratings missed its deadline of 2026-11-21 06:00 UTC by .*[1-9].* \(run scheduled__2026-11-21, running\)"),
        ({"state": "failed"}, r"2026-11-20 has not landed: .*, failed\)"),
        ({"state": "success"}, r"2026-11-20 has landed too late: .*"),
        ({"partition_key": "2026-11-20T13:00:00"}, r"2026-11-20 \(partition 2026-11-20T13:00:00\) has not landed: .*"),
        ({"partition_key": "nl"}, r"2026-11-20 \(partition nl\) has not landed: .*"),
        ({"partition_key": "nl", "partition_date": None}, r"nl has not landed: .*"),
        ({"partition_key": None, "partition_date": None}, r"A run without a partition has not landed: .*"),
    ],
)  # fmt: skip
def test_the_alert_names_the_day_the_dag_and_the_deadline(run, sentence, caplog):
    with caplog.at_level(logging.ERROR):
        asyncio.run(log_missed_deadline(context(**run)))
    (message,) = caplog.messages
    assert re.fullmatch(sentence, message)


def test_on_airflow_3_2_the_run_has_no_partition_date():
    run = context()
    del run["dag_run"]["partition_date"]
    assert missed_deadline_message(run).startswith("2026-11-20 has not landed")


def test_a_callback_in_an_executor_gets_moments_as_text():
    run = context()
    run["deadline"]["deadline_time"] = DUE.isoformat()
    assert "deadline of 2026-11-21 06:00 UTC" in missed_deadline_message(run)


@partitioned
def test_a_notifier_can_name_the_day():
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier
    from airflow.sdk.exceptions import AirflowException

    async def send(notifier):
        # The triggerer awaits it. There is no mail server: its fields are rendered before.
        with pytest.raises(AirflowException, match="SMTP connection is not found"):
            await notifier

    notifier = SmtpNotifier(to="x", subject="{{ dag_run.partition_key }} has not landed", context=context())
    asyncio.run(send(notifier))
    assert notifier.subject == "2026-11-20 has not landed"


def test_without_partitions_the_reference_says_which_airflow_has_them(tmp_path):
    # The installed Airflow may be a later one: this one has nothing at all.
    (tmp_path / "airflow" / "sdk" / "definitions").mkdir(parents=True)
    for package in ("airflow", "airflow/sdk", "airflow/sdk/definitions"):
        (tmp_path / package / "__init__.py").touch()
    code = "from airflow_movielens.deadlines import PartitionDeadline; PartitionDeadline()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "FatalError: PartitionDeadline needs partitions, which Airflow has since 3.2" in done.stderr
