"""What can stop the server from starting, and the other commands from doing what they should.

StartupError                exit 2: a setting to mend
├── DamagedDatasetError     exit 1: the settings are fine, a file is not
├── DamagedUsersError       exit 1: the same, of the users' file
├── DownloadError           exit 75: a dataset cannot be downloaded now; later it may
└── UserError               exit 2: users or tokens cannot be changed in this way
"""

from __future__ import annotations


class StartupError(Exception):
    """A reason not to start, in one line for whoever typed the command.

    Attributes:
        exit_code: the exit status of `movielens-api` that says the same to a program.
    """

    exit_code = 2


class DamagedDatasetError(StartupError):
    """A file of a dataset holds something other than ratings or movies."""

    exit_code = 1


class DamagedUsersError(StartupError):
    """The file of the users cannot be read, or holds something other than users."""

    exit_code = 1


class DownloadError(StartupError):
    """A dataset cannot be downloaded now; nothing here is wrong."""

    exit_code = 75


class UserError(StartupError):
    """Users or tokens cannot be changed in this way."""
