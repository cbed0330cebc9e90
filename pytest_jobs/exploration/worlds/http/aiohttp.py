"""A connection of aiohttp with a fake at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ...effects.http.request import HttpRequest, HttpResponse
from .wire import Conversation


def connecting(answer: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Return a method for connectors that opens connections to a fake."""

    async def create_connection(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = self._factory()
        origin = request.url.origin()

        def address(target: str) -> str:
            return target if "://" in target else f"{origin}{target}"

        protocol.connection_made(_Transport(protocol, Conversation(address, answer)))
        return protocol

    return create_connection


class _Transport(asyncio.Transport):
    """Takes what a protocol writes, and gives it the answer."""

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
            asyncio.get_running_loop().call_soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    # The whole answer was read already, so there is nothing to pause.
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass
