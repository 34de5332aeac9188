"""How the stack says that something failed."""

from __future__ import annotations


class DemoError(Exception):
    """A failure that ends the run.

    Args:
        message: What failed, in one sentence.
        details: The end of the log that shows why.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class DagImportError(DemoError):
    """Airflow cannot read a Dag's file."""


class UnansweredError(DemoError):
    """Airflow's API server did not answer; perhaps it has died."""


class RefusedError(DemoError):
    """Airflow's API server refused a call.

    Args:
        message: Which call, and the server's own words.
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Interrupted(Exception):  # noqa: N818 - it is a wish of the user, not an error
    """The user or the system asked the stack to stop.

    Args:
        signal_number: The signal that asked.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = 128 + signal_number
