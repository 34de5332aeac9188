"""The ASGI layer that limits how often each user asks."""

import time
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from movielens_api import problems
from movielens_api.gcra import Rate
from movielens_api.rate_limits.slots import Slots

WINDOW = 1  # seconds
Header = tuple[bytes, bytes]


class RateLimit:
    """Lets a user ask so many times at once and so many times a second, or answers 429.

    Every answer says how many are left, with the header fields of draft-ietf-httpapi-ratelimit-headers-11.

    All processes share the limit, exactly: each reads and writes a user's number under a lock.

    Args:
        app: what is behind the authentication, which set `scope["user"]`; without a user there is no limit.
        requests: how many a second, and how many at once.
        slots: when each user's allowance is whole again.
    """

    def __init__(self, app: ASGIApp, requests: int, slots: Slots) -> None:
        self.app = app
        self.rate = Rate(WINDOW / requests, requests)
        self.slots = slots
        self.policy = (b"ratelimit-policy", b'"default";q=%d;w=%d' % (requests, WINDOW))
        self.refusal = f"More than {requests} requests a second. Wait as long as the header Retry-After says."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        user = scope.get("user")
        if user is None:
            await self.app(scope, receive, send)
            return
        wait, left = self._take(user.name)
        app = self.app
        if wait:
            retry = {"Retry-After": str(max(1, ceil(wait)))}
            app = problems.respond(scope["path"], 429, self.refusal, headers=retry)
        said = (self.policy, (b"ratelimit", b'"default";r=%d;t=%d' % (left, WINDOW)))

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *said]
            await send(message)

        await app(scope, receive, tell)

    def _take(self, user: str) -> tuple[float, int]:
        """Count a request; return for how long it must wait, and how many are left."""
        with self.slots:
            now = time.monotonic()
            arrival = self.slots[user]
            if arrival > now + WINDOW + self.rate.interval:
                arrival = now  # from before a restart of this computer, when its clock began anew
            wait = self.rate.wait(arrival, now)
            if not wait:
                arrival = self.slots[user] = self.rate.after(arrival, now)
        return wait, self.rate.left(arrival, now)
