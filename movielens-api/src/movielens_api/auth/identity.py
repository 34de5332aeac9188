"""Who asks, and what they may do."""

import re
from typing import Literal, NamedTuple

Role = Literal["read", "write"]
ROLES: tuple[Role, ...] = ("read", "write")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAME_RULE = "1 to 64 letters (a to z), digits and . _ @ -, the first a letter or digit"


class Identity(NamedTuple):
    """Whoever sent a request: `scope["user"]` behind the authentication.

    Attributes:
        name: the user's name.
        roles: what the user may do; see `roles_of`.
    """

    name: str
    roles: frozenset[Role]


def roles_of(role: Role) -> frozenset[Role]:
    """Return a role and those it includes: whoever may write may read."""
    return frozenset(ROLES[: ROLES.index(role) + 1])
