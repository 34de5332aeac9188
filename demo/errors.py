"""The errors of the stack."""

from __future__ import annotations


class DemoError(Exception):
    """A failure that ends the command.

    Args:
        message: What failed, in one sentence.
        details: The end of the log that shows why.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class DagImportError(DemoError):
    """Airflow cannot import a Dag file."""


class NoResponseError(DemoError):
    """Airflow's API server does not respond; it may have died."""


class RefusedError(DemoError):
    """Airflow's API server refused a request.

    Args:
        message: The request, and the server's own words.
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Interrupted(Exception):  # noqa: N818 - the user's wish, not an error
    """The user or the system asked the stack to stop.

    Args:
        signal_number: The signal that was received.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = 128 + signal_number
