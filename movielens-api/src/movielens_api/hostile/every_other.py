"""The layer of all profiles that do wrong every other time: whoever asks again gets through."""

from starlette.types import ASGIApp, Receive, Scope, Send

from movielens_api.hostile.layer import Layer
from movielens_api.hostile.turns import Turns


class EveryOther(Layer):
    """A layer that misbehaves at the first of every two requests for a page."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._turns = Turns(2)

    async def read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Misbehave, or pass on."""
        await (self.app if self._turns.take(scope) else self.misbehave)(scope, receive, send)

    async def misbehave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer wrongly; unless a profile says otherwise, with a changed answer."""
        await super().read(scope, receive, send)
