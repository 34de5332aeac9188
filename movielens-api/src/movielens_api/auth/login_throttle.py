"""A limit on failed logins, checked before a password is hashed.

Failures are counted per address (an IPv6 network of 64 bits counts as one) and per user name, whether it exists or
not: a burst of ten, then one every five seconds. The limit does not lock users out: remembered logins and tokens are
not checked here, and at an address where a user has logged in before, failures of others with this name do not count.
An attacker can only delay the first login of a user.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from ipaddress import ip_address

from movielens_api.system.rate import Rate

_ALLOWED = Rate(interval=5, burst=10)
_MAX_REMEMBERED = 10_000


class LoginThrottle:
    """The failed logins of the last minute, and the addresses where users have logged in.

    Args:
        allowed: How often a login may fail.
        max_remembered: How many addresses, users, and pairs of both are remembered.
    """

    def __init__(self, allowed: Rate = _ALLOWED, max_remembered: int = _MAX_REMEMBERED) -> None:
        self.allowed = allowed
        self.max_remembered = max_remembered
        self._arrivals: dict[bytes, float] = {}
        self._known_addresses: dict[bytes, float] = {}

    def wait(self, user: bytes, address: str) -> float:
        """Return for how many seconds this login is refused, or zero if it may be tried."""
        now = time.monotonic()
        return max(self.allowed.wait(self._arrivals.get(key, now), now) for key in self._keys(user, address))

    def record_failure(self, user: bytes, address: str) -> None:
        """Count a failed login."""
        now = time.monotonic()
        for key in _key(address, b""), _key("", user):
            self._remember(self._arrivals, key, self.allowed.after(self._arrivals.get(key, now), now))

    def record_success(self, user: bytes, address: str) -> None:
        """Remember the address of a successful login."""
        self._remember(self._known_addresses, _key(address, user), time.monotonic())

    def _keys(self, user: bytes, address: str) -> tuple[bytes, bytes]:
        by_address = _key(address, b"")
        return by_address, by_address if _key(address, user) in self._known_addresses else _key("", user)

    def _remember(self, kept: dict[bytes, float], key: bytes, value: float) -> None:
        kept.pop(key, None)
        kept[key] = value
        if len(kept) > self.max_remembered:
            del kept[next(iter(kept))]  # the least recently used one


def _key(address: str, user: bytes) -> bytes:
    # A fixed size, however long the name is.
    return blake2b(f"{_network(address)} ".encode() + user, digest_size=16).digest()


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:  # noqa: PLR2004 - IPv4
        return address
    return found.exploded[:19]  # a customer of a provider has 2 to the 64 addresses
