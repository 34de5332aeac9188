"""What can stop the server from starting.

StartupError                exit 2: a setting to mend
├── DamagedDatasetError     exit 1: the settings are fine, a file is not
└── DownloadError           exit 75: a dataset cannot be downloaded now; later it may
"""


class StartupError(Exception):
    """A reason not to start, in one line for whoever typed the command.

    Attributes:
        exit_code: the exit status of `movielens-api` that says the same to a program.
    """

    exit_code = 2


class DamagedDatasetError(StartupError):
    """A file of a dataset holds something other than ratings or movies."""

    exit_code = 1


class DownloadError(StartupError):
    """A dataset cannot be downloaded now; nothing here is wrong."""

    exit_code = 75
