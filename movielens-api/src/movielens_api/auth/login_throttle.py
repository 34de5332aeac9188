"""How often somebody may fail to log in, decided before anything is hashed.

Failures are counted for the address they come from (an IPv6 network of 64 bits counts as one) and for the user
they name, known or not: ten at once, then one every five seconds. Neither locks a user out who is in already:
remembered logins and tokens never come here, and at an address where the user has logged in before, what others
fail elsewhere in that name does not count. What is left to an attacker is to delay a user's first login.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from ipaddress import ip_address

from movielens_api.middleware.rate_limit import Rate

ALLOWED = Rate(interval=5, burst=10)
LONGEST_MEMORY = 10_000


class LoginThrottle:
    """Failed logins of the last minute, and where users have logged in.

    Args:
        allowed: how often somebody may fail.
        longest: how many addresses, users, and pairs of both are remembered.
    """

    def __init__(self, allowed: Rate = ALLOWED, longest: int = LONGEST_MEMORY) -> None:
        self.allowed = allowed
        self.longest = longest
        self._arrivals: dict[bytes, float] = {}
        self._known_addresses: dict[bytes, float] = {}

    def wait(self, user: bytes, address: str) -> float:
        """Return for how many seconds this login is not even tried; zero: it may be."""
        now = time.monotonic()
        return max(self.allowed.wait(self._arrivals.get(key, now), now) for key in self._keys(user, address))

    def record_failure(self, user: bytes, address: str) -> None:
        """Count a failure."""
        now = time.monotonic()
        for key in _key(address, b""), _key("", user):
            self._remember(self._arrivals, key, self.allowed.after(self._arrivals.get(key, now), now))

    def record_success(self, user: bytes, address: str) -> None:
        """Remember where the user logs in."""
        self._remember(self._known_addresses, _key(address, user), time.monotonic())

    def _keys(self, user: bytes, address: str) -> tuple[bytes, bytes]:
        by_address = _key(address, b"")
        return by_address, by_address if _key(address, user) in self._known_addresses else _key("", user)

    def _remember(self, kept: dict[bytes, float], key: bytes, value: float) -> None:
        kept.pop(key, None)
        kept[key] = value
        if len(kept) > self.longest:
            del kept[next(iter(kept))]  # the one that has been left alone for the longest time


def _key(address: str, user: bytes) -> bytes:
    # Of fixed size, however long a name somebody sends.
    return blake2b(f"{_network(address)} ".encode() + user, digest_size=16).digest()


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:  # noqa: PLR2004 - IPv4
        return address
    return found.exploded[:19]  # one customer of a provider has 2 to the 64 addresses
