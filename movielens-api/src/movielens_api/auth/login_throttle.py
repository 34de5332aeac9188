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
from typing import NamedTuple

from movielens_api.system.rate import Rate

_ALLOWED = Rate(interval=5, burst=10)
_MAX_REMEMBERED = 10_000


class Origin(NamedTuple):
    """Where a login comes from, as digests of a fixed size.

    Attributes:
        address: The address or network.
        user: The user: where this user has logged in before, apart from others who only use the name.
    """

    address: bytes
    user: bytes


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

    def origin(self, user: bytes, address: str) -> Origin:
        """Return where a login comes from."""
        own = _key(address, user)
        return Origin(_key(address, b""), own if own in self._known_addresses else _key("", user))

    def wait(self, user: bytes, address: str) -> float:
        """Return for how many seconds this login is refused, or zero if it may be tried."""
        now = time.monotonic()
        # No failures are counted under the user where the user is known.
        keys = self.origin(user, address)
        return max(self.allowed.wait(self._arrivals.get(key, now), now) for key in keys)

    def record_failure(self, user: bytes, address: str) -> None:
        """Count a failed login."""
        now = time.monotonic()
        for key in _key(address, b""), _key("", user):
            self._remember(self._arrivals, key, self.allowed.after(self._arrivals.get(key, now), now))

    def record_success(self, user: bytes, address: str) -> None:
        """Remember the address of a successful login."""
        self._remember(self._known_addresses, _key(address, user), time.monotonic())

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
