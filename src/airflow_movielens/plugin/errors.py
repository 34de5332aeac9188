"""What prevents a view from being shown, in the words of the page that is shown instead."""

from __future__ import annotations

from airflow_movielens.client.errors import MovielensError


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


class MissingDataRootError(PageError):
    """The configured folder does not exist on this machine.

    Args:
        root: The folder.
    """

    def __init__(self, root: str) -> None:
        super().__init__(
            f"The API server has no folder {root}.",
            "This is [movielens] data_root. If no task has written there yet, unpause a Dag that fetches ratings into "
            "it. Otherwise mount the folder on the machine of the API server, under the same path as on the workers.",
            503,
        )


class UnreachableError(PageError):
    """Files cannot be read.

    Args:
        path: The path or URL that cannot be read.
        error: Why. The errors of this package say also what to do.
    """

    def __init__(self, path: str, error: Exception) -> None:
        advice = f"The API server got: {error or type(error).__name__}."
        if not isinstance(error, MovielensError):
            advice += (
                " Check that the path is right, and that the user of the API server may read it; for a URL, check its "
                "connection too."
            )
        super().__init__(f"{path} cannot be read.", advice, 503)
