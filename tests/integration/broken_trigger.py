"""A trigger whose polls fail in a way that nobody foresaw."""

from __future__ import annotations

from airflow_movielens.triggers import MovielensRatingsTrigger


class BrokenTrigger(MovielensRatingsTrigger):
    """The trigger of a sensor, which meets a bug."""

    def serialize(self):
        return "integration.broken_trigger.BrokenTrigger", super().serialize()[1]

    def _judge(self, result):
        return super()._judge(result._replace(error=TypeError("nobody foresaw it")))
