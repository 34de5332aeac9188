"""Users, passwords and tokens, and what each user may do.

- ``identity``: the user of a request, and the ``Authorization`` header.
- ``roles``: a route's required role.
- ``startup_credentials``: the user of the environment, and the default password.
- ``passwords``, ``tokens``: how secrets are checked and stored.
- ``users``, ``users_file``: the users of ``movielens-api users``, and their file.
- ``logins``: who is logged in.
- ``login_throttle``: how often a login may fail.
"""

from __future__ import annotations

from movielens_api.auth.identity import DEFAULT, Credentials, Identity

__all__ = ["DEFAULT", "Credentials", "Identity"]
