"""Questions to a server of PostgreSQL on the connection of an event loop that waits for the check.

Its driver reads nothing meanwhile. What only this connection sees is asked for over its socket, as a "simple
query" of PostgreSQL: https://www.postgresql.org/docs/current/protocol-flow.html.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO, Final

from ....errors import ExplorationError

#: How many seconds the server may take for an answer.
_PATIENCE: Final = 60.0
_HEADER: Final = struct.Struct("!ci")
_LENGTH: Final = struct.Struct("!i")


class AwaitedConnection:
    """A connection of asyncpg without TLS, on which nobody asks anything now."""

    def __init__(self, transport: Any) -> None:
        """Take the transport that its event loop has made."""
        self._socket = transport.get_extra_info("socket")

    def cursor(self) -> _Cursor:
        return _Cursor(socket.fromfd(self._socket.fileno(), self._socket.family, self._socket.type))


class _Cursor:
    """What a copy asks of the cursor of a driver. All values are texts."""

    def __init__(self, own: socket.socket) -> None:
        self._own = own
        # The socket stays one that never blocks: Python waits before it reads.
        own.settimeout(_PATIENCE)
        self.description = False
        self._rows: list[tuple[str | None, ...]] = []

    def execute(self, sql: str, params: None) -> None:
        for kind, body in self._answers(sql):
            self.description |= kind == b"T"
            if kind == b"D":
                self._rows.append(tuple(_values(body)))

    def fetchall(self) -> list[tuple[str | None, ...]]:
        return self._rows

    def copy_expert(self, sql: str, file: BinaryIO) -> None:
        """Copy to a file, as psycopg2 does."""
        file.writelines(body for kind, body in self._answers(sql) if kind == b"d")

    def close(self) -> None:
        self._own.close()

    def _answers(self, sql: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the messages with which the server answers; raise at the end if there is an error among them."""
        text = sql.encode() + b"\0"
        self._own.sendall(_HEADER.pack(b"Q", len(text) + _LENGTH.size) + text)
        kind, error = b"", ""
        with closing(self._own.makefile("rb")) as messages:
            while kind != b"Z":
                kind, length = _HEADER.unpack(messages.read(_HEADER.size))
                body = messages.read(length - _LENGTH.size)
                if kind == b"E":
                    fields = body.decode(errors="replace").split("\0")
                    error = next(field[1:] for field in fields if field.startswith("M"))
                yield kind, body
        if error:
            raise ExplorationError(f"The tables of the test could not be copied: {error}.")


def _values(row: bytes) -> Iterator[str | None]:
    place = 2
    while place < len(row):
        (length,) = _LENGTH.unpack_from(row, place)
        place += _LENGTH.size
        yield None if length < 0 else row[place : place + length].decode()
        place += max(length, 0)
