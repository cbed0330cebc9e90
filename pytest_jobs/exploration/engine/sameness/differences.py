"""What differs between two observed states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from ....errors import ExplorationError
from .renaming import whole


class _Missing(Enum):
    """Stands for a name that a state lacks, which is not the same as a name with the value None."""

    MISSING = "nothing"

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = _Missing.MISSING
#: The end of the name of a part of the state that passes by itself, such as keys that expire: whether it changes
#: is looked at, and it is no result of a job.
PASSING: Final = " that expire"


def differences(
    wanted: Mapping[str, Any], found: Mapping[str, Any]
) -> Sequence[tuple[str, Any, Any]]:
    """Return each name that differs, with its values in both; `MISSING` where there is none."""
    return [
        (name, whole(wanted.get(name, MISSING)), whole(found.get(name, MISSING)))
        for name in dict.fromkeys((*wanted, *found))
        if not name.endswith(PASSING) and wanted.get(name, MISSING) != found.get(name, MISSING)
    ]


def not_fresh(first: Mapping[str, Any], second: Mapping[str, Any]) -> ExplorationError:
    """Return the error for a world whose state differs when it is built again."""
    name, one, two = differences(first, second)[0]
    return ExplorationError(
        f"The world is not fresh: {name} is {one!r} when it is entered for the first time, and {two!r} "
        "when it is entered again. Build everything inside the world, each time anew."
    )
