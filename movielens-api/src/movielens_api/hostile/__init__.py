"""A server that misbehaves on purpose, to test what a client tolerates: ASGI layers around the real application.

- ``profile``: the base class of all profiles, and the requests in which a fault is due.
- ``paging``: wrong pages, and ratings that change while a client pages.
- ``bad_rows``: wrong rows.
- ``refusals``: error statuses and redirects.
- ``broken_responses``: unusable bodies, and faults below HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.app import create_app
from movielens_api.auth.users_file import UsersFile
from movielens_api.errors import StartupError
from movielens_api.hostile import bad_rows, broken_responses, paging, refusals
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp

    from movielens_api.bootstrap import Settings
    from movielens_api.hostile.profile import Change, Profile, Variant

# From the innermost layer to the outermost: the order in which profiles are combined.
PROFILES: dict[str, type[Profile]] = {
    "inserts": paging.Inserts,
    "deletes": paging.Deletes,
    "inserts-and-deletes": paging.InsertsAndDeletes,
    "clamped-limit": paging.ClampedLimit,
    "rows-out-of-window": paging.RowsOutOfWindow,
    "repeated-page": paging.RepeatedPage,
    "empty-page": paging.EmptyPage,
    "duplicate-rows": bad_rows.DuplicateRows,
    "rows-out-of-order": bad_rows.RowsOutOfOrder,
    "off-step-ratings": bad_rows.OffStepRatings,
    "nan-ratings": bad_rows.NanRatings,
    "null-values": bad_rows.NullValues,
    "text-numbers": bad_rows.TextNumbers,
    "missing-total": paging.MissingTotal,
    "total-too-large": paging.TotalTooLarge,
    "total-too-small": paging.TotalTooSmall,
    "basic": paging.Basic,
    "410-midway": refusals.SnapshotGone,
    "401-midway": refusals.Revoked,
    "403-without-token": refusals.TokensOnly,
    "429": refusals.TooManyRequests,
    "429-seconds": refusals.TooManyRequestsSeconds,
    "429-date": refusals.TooManyRequestsDate,
    "500-bursts": refusals.ServerErrors,
    "redirect-to-other-host": refusals.OtherHost,
    "redirect-loop": refusals.Loop,
    "html-page": broken_responses.HtmlPage,
    "truncated": broken_responses.Truncated,
    "wrong-content-type": broken_responses.WrongContentType,
    "huge-header": broken_responses.HugeHeader,
    "gzip-bomb": broken_responses.GzipBomb,
    "no-answer": broken_responses.NoAnswer,
    "slow-headers": broken_responses.SlowHeaders,
    "slow-body": broken_responses.SlowBody,
    "cut-short": broken_responses.CutShort,
    "reset": broken_responses.Reset,
}


def profiles() -> Mapping[str, str]:
    """Return the names of all profiles, each with a sentence about what it does."""
    return {name: (profile.__doc__ or "").strip() for name, profile in PROFILES.items()}


def parse_names(text: str) -> list[str]:
    """Return the profiles in a comma-separated list.

    Args:
        text: The list, as typed by a user.

    Raises:
        StartupError: A profile does not exist.
    """
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PROFILES]:
        existing = ", ".join(PROFILES)
        raise StartupError(
            f"unknown hostile profile {unknown[0]!r}: there are {existing}; --hostile list explains them"
        )
    return names


def wrap(app: ASGIApp, names: Collection[str], variant: Variant) -> ASGIApp:
    """Return the application with the layers of profiles around it.

    Args:
        app: The application that serves the real ratings.
        names: The names of the profiles, in any order: they are combined in the order of ``PROFILES``.
        variant: Builds an application that serves changed ratings.
    """
    for name, profile in PROFILES.items():
        if name in names:
            app = profile.wrap(app, variant)
    return app


def make_hostile(app: ASGIApp, names: Collection[str], settings: Settings, catalogue: Catalogue) -> ASGIApp:
    """Return the application of ``movielens-api serve --hostile``, for ``HostileConnection``.

    Args:
        app: The application that serves the real ratings.
        names: The names of the profiles.
        settings: The settings of the server, for its credentials and users.
        catalogue: What the application serves.
    """

    def variant(change: Change) -> ASGIApp:
        changed = Catalogue(catalogue.name, change(catalogue.ratings.window()), catalogue.movies)
        return create_app(changed, settings.credentials, users_file=UsersFile(settings.durable))

    return wrap(app, names, variant)
