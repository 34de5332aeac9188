"""Users, passwords and tokens, and what each user may do.

- ``credentials``: the ``Authorization`` header, the user of a request, and the credentials at the start.
- ``passwords``, ``tokens``: how secrets are checked and stored.
- ``users_file``: the users of ``movielens-api users``, and the file that keeps them.
- ``logins``: who is logged in.
- ``login_queue``: how many logins may wait for their hash.
- ``login_throttle``: how often a login may fail.
"""

from __future__ import annotations

from movielens_api.auth.credentials import DEFAULT, Credentials, Identity

__all__ = ["DEFAULT", "Credentials", "Identity"]
