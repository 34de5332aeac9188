"""What `movielens-api serve --hostile` serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.app import create_app
from movielens_api.auth.users_file import UsersFile
from movielens_api.hostile import wrap
from movielens_api.table.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp

    from movielens_api.bootstrap import Settings
    from movielens_api.hostile.middleware import Change


def layers(app: ASGIApp, names: Collection[str], settings: Settings, catalogue: Catalogue) -> ASGIApp:
    """Put profiles around the application, for `OpenConnection`.

    Args:
        app: the true application.
        names: of the profiles.
        settings: who may use it.
        catalogue: what it serves.
    """

    def variant(change: Change) -> ASGIApp:
        ratings = change(catalogue.ratings.window())
        changed = Catalogue(catalogue.name, ratings, catalogue.movies)
        return create_app(changed, settings.credentials, users_file=UsersFile(settings.durable))

    return wrap(app, names, variant)
