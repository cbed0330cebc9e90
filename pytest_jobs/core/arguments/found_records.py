"""The records of a coroutine job, looked up before its arguments are decoded, which cannot await."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .encoding import Types, decode_value, records_in
from .records import RecordReference, Reference, references

if TYPE_CHECKING:
    from .records import RecordWork


class FoundRecords:
    """What was looked up for one delivery."""

    __slots__ = ("_found", "_work")

    def __init__(self, work: RecordWork) -> None:
        self._work = work
        self._found: dict[tuple[type, str], object] = {}

    async def look_up(self, data: Any, types: Types) -> None:
        """Look up the records that JSON data names, one after the other.

        Raises:
            RecordNotFoundError: when one is gone.
            RecordUnavailableError: when that cannot be told of one.
        """
        for name, written in records_in(data):
            reference, identifier = (
                references.named(name),
                decode_value(written, types, find=RecordReference),
            )
            key = _key(reference, identifier)
            if key not in self._found:
                self._found[key] = await reference.afind_record(identifier, self._work)

    async def look_up_arguments(self, text: str, types: Types) -> None:
        """Look up the records that arguments name; see `look_up`."""
        try:
            data = json.loads(text)
        except ValueError:
            return  # It is complained of where it is decoded.
        await self.look_up(data, types)

    def find(self, reference: Reference, identifier: object) -> object:
        """Return a record that was looked up."""
        return self._found[_key(reference, identifier)]


def _key(reference: Reference, identifier: object) -> tuple[type, str]:
    # By its text, since an id need not be hashable.
    return reference.cls, repr(identifier)
