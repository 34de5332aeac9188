"""The head of an answer leaves together with the first piece of its body: one packet and one system call, not two."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport

INTERIM = b"HTTP/1.1 1"


class CoalescingTransport:
    """What one answer is written to.

    Args:
        transport: where it goes.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._head: bytes | None = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes | memoryview) -> None:
        """Keep the first write, which is the head, for the second; pass on the others."""
        if self._head is None or (isinstance(data, bytes) and data.startswith(INTERIM)):
            self._transport.write(data)
        elif not self._head:
            self._head = bytes(data)
        else:
            # Not joined here: a body of a megabyte would be copied.
            self._transport.writelines((self._head, data))
            self._head = None

    def close(self) -> None:
        """Write what was kept, then close."""
        if self._head:
            self._transport.write(self._head)
        self._transport.close()
