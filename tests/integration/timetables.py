"""The window of a run for each timetable and each kind of run; docs/windows.md shows this table and the tests run it.

Moments are in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SCHEDULED = "scheduled"
MANUAL = "manual, logical date"
WITHOUT_DATE = "manual without a logical date"
COMMAND_LINE = "`airflow dags trigger --logical-date`"
EVENT = "asset event"

NOTHING, HOURS, WEEKS, MONTHS = timedelta(0), timedelta(hours=2), timedelta(weeks=2), timedelta(days=62)


@dataclass(frozen=True)
class Row:
    """A run of a Dag, and its window.

    Args:
        schedule: The Dag's schedule, an expression as in a Dag's file.
        kind: How the run is created.
        moment: When it is due, its logical date, or when it is created, depending on its kind.
        first: The first day of its window.
        last: The last day of its window; empty if it is the first day.
        key: Its partition key.
        made: When it is created, if not at its moment.
        look_back: How long before the run its Dag starts: long enough for an earlier run, so that the row does not
            depend on how the schedule begins.
        airflow: The oldest version of Airflow that has the schedule. Partitions came with 3.2; their dates, and keys in
            a time zone, with 3.3.
    """

    schedule: str
    kind: str
    moment: str
    first: str
    last: str = ""
    key: str = ""
    made: str = ""
    look_back: timedelta = timedelta(days=2)
    airflow: str = "3.1"

    @property
    def run(self) -> str:
        """The run in words."""
        words = [f"{self.kind} {self.moment}".rstrip()]
        words += [f"created {self.made}"] if self.made else []
        words += [f"key `{self.key}`"] if self.key else []
        return ", ".join(words)

    @property
    def days(self) -> str:
        """The window in words."""
        return f"{self.first} to {self.last}" if self.last else self.first


def table(rows: list[Row]) -> str:
    """Return rows as a Markdown table that names each schedule only once."""
    lines, shown = ["| schedule | run | days |", "|---|---|---|"], ""
    for row in rows:
        schedule = "" if row.schedule == shown else f"`{row.schedule}`"
        lines.append(f"| {schedule} | {row.run} | {row.days} |")
        shown = row.schedule
    return "\n".join(lines) + "\n"


def _cron(expression: str, zone: str = "UTC", options: str = "") -> str:
    return f'CronTriggerTimetable("{expression}", timezone="{zone}"{options})'


def _interval(expression: str, zone: str = "UTC") -> str:
    return f'CronDataIntervalTimetable("{expression}", timezone="{zone}")'


def _partitions(expression: str, options: str, zone: str = "UTC") -> str:
    return f'CronPartitionTimetable("{expression}", timezone="{zone}"{options})'


DAY_KEY, MONTH_KEY = ', key_format="%Y-%m-%d"', ', key_format="%Y-%m"'
TWICE = 'MultipleCronTriggerTimetable("0 6 * * *", "0 18 * * *", timezone="UTC")'
EVENTS = "EventsTimetable([datetime(2024, 11, 20, 18, tzinfo=UTC)]{})"

WITHOUT_LENGTH = [
    Row('"@daily"', SCHEDULED, "2024-11-20 00:00", "2024-11-19"),
    Row('"@daily"', MANUAL, "2024-11-20 15:00", "2024-11-19"),
    Row('"@daily"', WITHOUT_DATE, "2024-11-20 15:00", "2024-11-19"),
    Row('"@daily"', COMMAND_LINE, "2015-01-04 00:00", "2015-01-03", made="2024-11-20 15:00"),
    Row('"@hourly"', SCHEDULED, "2024-11-20 00:00", "2024-11-19", look_back=HOURS),
    Row('"@hourly"', SCHEDULED, "2024-11-20 13:00", "2024-11-19", look_back=HOURS),
    Row('"30 13 * * *"', SCHEDULED, "2024-11-20 13:30", "2024-11-19"),
    Row('"@weekly"', SCHEDULED, "2024-11-24 00:00", "2024-11-23", look_back=WEEKS),
    Row(_cron("0 0 * * *", "Europe/Berlin"), SCHEDULED, "2024-03-30 23:00", "2024-03-29"),
    Row(_cron("0 0 * * *", "Europe/Berlin"), SCHEDULED, "2024-03-31 22:00", "2024-03-30"),
    Row(_cron("0 0 * * *", "America/New_York"), SCHEDULED, "2024-11-03 04:00", "2024-11-02"),
    Row(_cron("0 0 * * *", "America/New_York"), SCHEDULED, "2024-11-04 05:00", "2024-11-03"),
    Row(TWICE, SCHEDULED, "2024-11-20 06:00", "2024-11-19"),
    Row(TWICE, SCHEDULED, "2024-11-20 18:00", "2024-11-19"),
    Row("DeltaTriggerTimetable(timedelta(days=1))", SCHEDULED, "2024-11-20 06:00", "2024-11-19"),
    Row(EVENTS.format(""), SCHEDULED, "2024-11-20 18:00", "2024-11-19"),
    Row(EVENTS.format(""), MANUAL, "2024-11-22 09:00", "2024-11-21"),
    Row(EVENTS.format(", restrict_to_events=True"), MANUAL, "2024-11-22 09:00", "2024-11-19"),
    Row('"@once"', SCHEDULED, "2024-11-20 06:00", "2024-11-19", look_back=NOTHING),
    Row("None", MANUAL, "2024-11-20 15:00", "2024-11-19"),
    Row("None", WITHOUT_DATE, "2024-11-20 15:00", "2024-11-19"),
]

WITH_LENGTH = [
    Row(_interval("@daily"), SCHEDULED, "2024-11-20 00:00", "2024-11-19"),
    Row(_interval("@daily"), MANUAL, "2024-11-20 15:00", "2024-11-19"),
    Row(_interval("@daily"), WITHOUT_DATE, "2024-11-20 15:00", "2024-11-19"),
    Row(_interval("@daily"), COMMAND_LINE, "2015-01-04 00:00", "2024-11-19", made="2024-11-20 15:00"),
    Row(_interval("@hourly"), SCHEDULED, "2024-11-20 00:00", "2024-11-19", look_back=HOURS),
    Row(_interval("@hourly"), SCHEDULED, "2024-11-20 13:00", "2024-11-20", look_back=HOURS),
    Row(_interval("@hourly"), MANUAL, "2024-11-20 13:30", "2024-11-20"),
    Row(_interval("@hourly"), WITHOUT_DATE, "2024-11-20 13:30", "2024-11-19"),
    Row(_interval("@weekly"), SCHEDULED, "2024-11-24 00:00", "2024-11-17", "2024-11-23", look_back=WEEKS),
    Row(_interval("@monthly"), SCHEDULED, "2024-12-01 00:00", "2024-11-01", "2024-11-30", look_back=MONTHS),
    Row(_interval("@daily", "Europe/Berlin"), SCHEDULED, "2024-03-31 22:00", "2024-03-30", "2024-03-31"),
    Row(_interval("@daily", "Europe/Berlin"), SCHEDULED, "2024-10-27 23:00", "2024-10-26", "2024-10-27"),
    Row(_interval("@daily", "America/New_York"), SCHEDULED, "2024-03-11 04:00", "2024-03-10", "2024-03-11"),
    Row(_interval("@daily", "America/New_York"), SCHEDULED, "2024-11-04 05:00", "2024-11-03", "2024-11-04"),
    Row(_interval("@daily", "Asia/Kolkata"), SCHEDULED, "2024-11-20 18:30", "2024-11-19", "2024-11-20"),
    Row(_interval("@hourly", "Europe/Berlin"), SCHEDULED, "2024-10-27 00:00", "2024-10-26", look_back=HOURS),
    Row(_interval("@hourly", "Europe/Berlin"), SCHEDULED, "2024-10-27 01:00", "2024-10-27", look_back=HOURS),
    Row(_interval("@hourly", "Europe/Berlin"), SCHEDULED, "2024-10-27 02:00", "2024-10-27", look_back=HOURS),
    Row(_cron("0 0 * * *", options=", interval=timedelta(days=1)"), SCHEDULED, "2024-11-20 00:00", "2024-11-19"),
    Row(_cron("0 0 * * *", options=", interval=timedelta(days=1)"), MANUAL, "2024-11-20 15:00", "2024-11-19", "2024-11-20"),
    Row(_cron("0 0 * * 0", options=", interval=timedelta(days=7)"), SCHEDULED, "2024-11-24 00:00", "2024-11-17", "2024-11-23", look_back=WEEKS),
    Row("DeltaDataIntervalTimetable(timedelta(days=1))", SCHEDULED, "2024-11-20 00:00", "2024-11-19"),
    Row("DeltaDataIntervalTimetable(timedelta(days=1))", MANUAL, "2024-11-20 15:00", "2024-11-19", "2024-11-20"),
    Row("DeltaTriggerTimetable(timedelta(days=1), interval=timedelta(days=1))", SCHEDULED, "2024-11-20 00:00", "2024-11-19"),
    Row('"@continuous"', SCHEDULED, "2024-11-20 15:00", "2024-11-18", "2024-11-20"),
]  # fmt: skip

PARTITIONS = [
    Row(_partitions("0 0 * * *", ", run_offset=-1" + DAY_KEY), SCHEDULED, "2024-11-20 00:00", "2024-11-19", key="2024-11-19", airflow="3.2"),
    Row(_partitions("0 0 * * *", ", run_offset=-1" + DAY_KEY), WITHOUT_DATE, "2024-11-20 15:00", "2015-01-02", key="2015-01-02", airflow="3.2"),
    Row(_partitions("0 0 * * *", ", run_offset=-7" + DAY_KEY), SCHEDULED, "2024-11-20 00:00", "2024-11-13", key="2024-11-13", airflow="3.2"),
    Row(_partitions("0 0 * * *", ""), SCHEDULED, "2024-11-20 00:00", "2024-11-20", key="2024-11-20T00:00:00", airflow="3.2"),
    Row(_partitions("0 * * * *", ", run_offset=-1"), SCHEDULED, "2024-11-20 00:00", "2024-11-19", key="2024-11-19T23:00:00", look_back=HOURS, airflow="3.2"),
    Row(_partitions("0 0 * * *", ", run_offset=-1", "Asia/Kolkata"), SCHEDULED, "2024-11-20 18:30", "2024-11-20", key="2024-11-20T00:00:00", airflow="3.3"),
    Row(_partitions("0 0 * * *", ", run_offset=-1", "Europe/Berlin"), SCHEDULED, "2024-10-27 23:00", "2024-10-27", key="2024-10-27T00:00:00", airflow="3.3"),
    Row(_partitions("0 0 * * *", ', run_offset=-1, key_format="%Y%m%d"'), SCHEDULED, "2024-11-20 00:00", "2024-11-19", key="20241119", airflow="3.3"),
    Row(_partitions("0 0 1 * *", ", run_offset=-1" + MONTH_KEY), SCHEDULED, "2024-12-01 00:00", "2024-11-01", key="2024-11", look_back=MONTHS, airflow="3.3"),
    Row(_partitions("0 0 1 * *", ", run_offset=-1" + MONTH_KEY, "Europe/Berlin"), SCHEDULED, "2024-11-30 23:00", "2024-10-31", key="2024-11", look_back=MONTHS, airflow="3.3"),
    Row("PartitionedAtRuntime()", WITHOUT_DATE, "2024-11-20 15:00", "2015-01-02", key="2015-01-02", airflow="3.3"),
    Row("PartitionedAtRuntime()", WITHOUT_DATE, "2024-11-20 15:00", "2015-01-02", key="2015-01-02/emea", airflow="3.3"),
    Row('PartitionedAssetTimetable(assets=Asset("days"))', EVENT, "", "2024-11-19", key="2024-11-19", airflow="3.3"),
    Row('PartitionedAssetTimetable(assets=Asset("days"), default_partition_mapper=StartOfWeekMapper(input_format="%Y-%m-%d"))', EVENT, "", "2024-11-18", key="2024-11-18 (W47)", airflow="3.3"),
    Row('PartitionedAssetTimetable(assets=Asset("days"), default_partition_mapper=StartOfMonthMapper(input_format="%Y-%m-%d"))', EVENT, "", "2024-11-01", key="2024-11", airflow="3.3"),
]  # fmt: skip

ASSETS = [
    Row('Asset("ratings")', EVENT, "2024-11-20 15:00", "2024-11-19"),
    Row('Asset("ratings")', MANUAL, "2024-11-20 15:00", "2024-11-19"),
    Row('Asset("ratings")', WITHOUT_DATE, "2024-11-20 15:00", "2024-11-19"),
    Row(f'AssetOrTimeSchedule(timetable={_interval("@hourly")}, assets=Asset("ratings"))', SCHEDULED, "2024-11-20 13:00", "2024-11-20", look_back=HOURS),
    Row(f'AssetOrTimeSchedule(timetable={_interval("@hourly")}, assets=Asset("ratings"))', EVENT, "2024-11-20 15:00", "2024-11-19", look_back=HOURS),
]  # fmt: skip

GROUPS = {
    "Intervals without length": WITHOUT_LENGTH,
    "Intervals with length": WITH_LENGTH,
    "Partitions": PARTITIONS,
    "Assets": ASSETS,
}
