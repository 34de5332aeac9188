"""The one user that comes from the environment or an option, or the default."""

import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """A user who may do everything and whose password the process knows anyway, so that nothing is hashed.

    Raises:
        ValueError: HTTP Basic cannot carry them: a user is not empty and has no colon.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise ValueError("a user name is not empty and has no colon")

    def match(self, user: bytes, password: bytes) -> bool:
        """Compare in a time that tells nothing about how much is right; always both parts."""
        same_user = hmac.compare_digest(user, self.user.encode(errors="surrogateescape"))
        same_password = hmac.compare_digest(password, self.password.encode(errors="surrogateescape"))
        return same_user & same_password


DEFAULT = Credentials("movielens", "movielens")
