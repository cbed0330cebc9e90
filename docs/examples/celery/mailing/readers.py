"""Who reads the newsletter. This list keeps them in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Reader:
    """One reader."""

    id: int
    address: str
    confirmed: bool = False
    welcomed: bool = False
    #: The task that will remind them.
    reminder: str | None = None


class Readers:
    """All readers."""

    def __init__(self) -> None:
        self._readers: dict[int, Reader] = {}

    def add(self, address: str) -> Reader:
        """Add a reader."""
        reader = Reader(len(self._readers) + 1, address)
        self._readers[reader.id] = reader
        return reader

    def find(self, reader_id: int) -> Reader | None:
        """Return a reader, or None when they have left."""
        return self._readers.get(reader_id)

    def remove(self, reader_id: int) -> None:
        """Let a reader go."""
        del self._readers[reader_id]

    def confirmed(self) -> list[Reader]:
        """Return those who have confirmed their address."""
        return [reader for reader in self._readers.values() if reader.confirmed]


#: The readers in use.
readers = Readers()
