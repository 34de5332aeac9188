"""What prevents a view from being shown, in the words of the page that is shown instead."""

from __future__ import annotations


class PageError(Exception):
    """A view cannot be shown.

    Args:
        title: What happened.
        advice: What to do.
        status: The HTTP status of the response.
    """

    def __init__(self, title: str, advice: str, status: int) -> None:
        super().__init__(f"{title} {advice}")
        self.title = title
        self.advice = advice
        self.status = status


class NoDataRootError(PageError):
    """Airflow's configuration does not say where the data are."""

    def __init__(self) -> None:
        super().__init__(
            "This page does not know where your data are.",
            "Set [movielens] data_root in Airflow's configuration to the folder or URL under which your tasks write "
            "their files, for the workers and for the API server, and restart both. Tasks that run afterwards appear "
            "here. For the files that are there already, run: movielens catalogue rebuild ROOT",
            503,
        )


class UnreachableError(PageError):
    """Files cannot be read.

    Args:
        path: The path or URL that cannot be read.
        error: Why.
    """

    def __init__(self, path: str, error: Exception) -> None:
        super().__init__(
            f"{path} cannot be read.",
            f"The API server got: {error or type(error).__name__}. Check that the path is right, that it is mounted on "
            "the machine of the API server, and that its user may read it; for a URL, check also its connection.",
            503,
        )
