"""A connection of aiohttp that leads to a fake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ...messages.http import HttpRequest, HttpResponse
from .wire import Conversation


def connecting(answer: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Return what connectors open connections by.

    Args:
        answer: answers the requests.
    """

    async def create_connection(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = self._factory()
        origin = request.url.origin()

        def address(target: str) -> str:
            return target if "://" in target else f"{origin}{target}"

        protocol.connection_made(_Transport(protocol, Conversation(address, answer)))
        return protocol

    return create_connection


class _Transport(asyncio.Transport):
    """Takes in what a protocol writes, and hands it the answer."""

    def __init__(self, protocol: Any, conversation: Conversation) -> None:
        super().__init__()
        self._protocol = protocol
        self._conversation = conversation
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            answer = self._conversation.feed(bytes(data))
        except Exception as error:
            # Raised here, it would come to the job as a broken connection.
            self._protocol.set_exception(error)
            return
        if answer is not None:
            self._soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        """Go on, for all has been read."""

    def resume_reading(self) -> None:
        """Go on."""

    def _soon(self, call: Callable[[Any], object], argument: object) -> None:
        asyncio.get_running_loop().call_soon(call, argument)
