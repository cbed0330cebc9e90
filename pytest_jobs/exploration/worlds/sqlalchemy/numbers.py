"""The numbers that a server gives to rows in a world: so high that no other number of a job is taken for one."""

from __future__ import annotations

from typing import Final

_FIRST: Final = 2_100_000_000
#: The end of the numbers, below the greatest integer of four bytes.
LAST: Final = 2_147_000_000
#: How many numbers each sequence has at most.
_ROOM: Final = 100_000


def ranges_of_numbers(count: int) -> list[range]:
    """Return the numbers for so many sequences, different ones for each."""
    room = min(_ROOM, (LAST - _FIRST) // max(count, 1))
    starts = range(_FIRST, _FIRST + count * room, room)
    return [range(start, start + room) for start in starts]
