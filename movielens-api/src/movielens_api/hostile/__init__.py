"""A server that is hostile on purpose: what a client must bear, as layers around the true application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.errors import StartupError
from movielens_api.hostile.registry import PROFILES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp

    from movielens_api.hostile.middleware import Variant


def profiles() -> Mapping[str, str]:
    """Return the names of all profiles, and what each does in a sentence."""
    return {name: (profile.__doc__ or "").strip() for name, profile in PROFILES.items()}


def chosen(text: str) -> list[str]:
    """Return the profiles that a user named, separated by commas.

    Raises:
        StartupError: there is no such profile.
    """
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PROFILES]:
        there_are = ", ".join(PROFILES)
        raise StartupError(
            f"unknown hostile profile {unknown[0]!r}: there are {there_are}; --hostile list explains them"
        )
    return names


def wrap(app: ASGIApp, names: Collection[str], variant: Variant) -> ASGIApp:
    """Put the layers of profiles around an application, in the order of `PROFILES` whatever that of the names.

    Args:
        app: serves the true ratings.
        names: of profiles.
        variant: builds an application on other ratings.
    """
    for name, profile in PROFILES.items():
        if name in names:
            app = profile.around(app, variant)
    return app
