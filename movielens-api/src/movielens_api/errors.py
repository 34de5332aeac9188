"""Errors that stop the server from starting or a command from succeeding.

StartupError                exit status 2: fix a setting
├── DamagedDatasetError     exit status 1: the settings are right, but a dataset's file is damaged
├── DamagedUsersError       exit status 1: the users file is damaged
├── DownloadError           exit status 75: a dataset cannot be downloaded now; retry later
└── UserError               exit status 2: users or tokens cannot be changed like this
"""

from __future__ import annotations


class StartupError(Exception):
    """A one-line reason not to start, for the user who typed the command.

    Attributes:
        exit_code: The exit status of ``movielens-api``.
    """

    exit_code = 2


class DamagedDatasetError(StartupError):
    """A file of a dataset contains something other than ratings or movies."""

    exit_code = 1


class DamagedUsersError(StartupError):
    """The users file cannot be read, or contains something other than users."""

    exit_code = 1


class DownloadError(StartupError):
    """A dataset cannot be downloaded now. The settings are right."""

    exit_code = 75


class UserError(StartupError):
    """Users or tokens cannot be changed like this."""
