"""Write coalescing: the head of a response and the first piece of its body are sent by one system call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport

INTERIM = b"HTTP/1.1 1"


class CoalescingTransport:
    """A transport for one response.

    Args:
        transport: The transport of the connection.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._head: bytes | None = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes | memoryview) -> None:
        """Hold back the first write, which is the head, until the second one. Pass on all others."""
        if self._head is None or (isinstance(data, bytes) and data.startswith(INTERIM)):
            self._transport.write(data)
        elif not self._head:
            self._head = bytes(data)
        else:
            # Not concatenated, which would copy a body of a megabyte.
            self._transport.writelines((self._head, data))
            self._head = None

    def close(self) -> None:
        """Write the held data, then close the connection."""
        if self._head:
            self._transport.write(self._head)
        self._transport.close()
