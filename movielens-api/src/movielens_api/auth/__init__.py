"""Who may ask: users with passwords and tokens, and what each of them may do.

identity, credentials    who asks; the one user of the environment
choice                   which user that is, and to whom the server may show itself
passwords, tokens        how secrets are kept
users, users_file        the users of the command `movielens-api users`, and their file
header, logins, failures from an `Authorization` header to an identity, and how often somebody may be wrong
layer, roles, document   around the routes, in front of one of them, and in the OpenAPI document
"""

from __future__ import annotations

from movielens_api.auth.identity import DEFAULT, Credentials, Identity

__all__ = ["DEFAULT", "Credentials", "Identity"]
