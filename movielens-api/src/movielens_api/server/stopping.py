"""uvicorn's server, except that one who insists on its end gets an orderly one."""

import socket

import uvicorn


class Server(uvicorn.Server):
    """A server that closes the application even if it does not wait for the answers under way."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; on a second SIGINT at once, where uvicorn would leave the application without a word."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()
