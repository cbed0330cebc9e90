"""What a test case is configured to without pytest: the options in pytest's ini file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ..errors import DeclarationError
from .options import (
    APPS,
    IGNORE,
    JITTER,
    MODE,
    NAMES,
    QUEUES,
    RAISE,
    STRICT,
    Given,
    Option,
    Settings,
    nearest_option,
)

#: What a class says by an attribute, which is called like the line of the ini file.
OF_CASES: Final[tuple[Option[Any], ...]] = (MODE, RAISE, JITTER, STRICT, IGNORE, QUEUES)


def settings_of_ini_file(directory: Path) -> Settings:
    """Return what the ini file of pytest says that is found from a directory upwards.

    Raises:
        DeclarationError: when an option has no valid value, or a name is nearly one of ours.
        QueuesError: when the file with the queues cannot be read.
    """
    from ..integrations.ini_file import find_ini_file

    found = find_ini_file(directory)
    if found is None:
        return Settings({})
    file = found.path.name
    for name in found.values:
        # Others may belong to a plugin that is not asked here.
        meant = nearest_option(name) if name.startswith("jobs_") and name not in NAMES else None
        if meant is not None:
            raise DeclarationError(
                f"{file}: {name} is not an option of pytest-jobs: did you mean {meant}? "
                f"The options are {', '.join(NAMES)}."
            )
    given = {
        option: Given(
            option.parsed(found.values[option.ini]), f"{file}: {option.ini}", found.path.parent
        )
        for option in (*OF_CASES, APPS)
        if option.ini in found.values
    }
    if MODE in given and given[MODE].value == "off":
        given[MODE].refuse(
            "a JobsTestCase cannot do without a harness: set jobs_mode to 'record' or 'inline' in the class"
        )
    return Settings({option: option.read(one) for option, one in given.items()})


def settings_of_case(
    case: type, folder: Path, options: Iterable[Option[Any]] = OF_CASES
) -> dict[Option[Any], Any]:
    """Return what the attributes of a class say; None says nothing.

    Args:
        case: the class.
        folder: where the path of its queues begins.
        options: whose attributes are read.

    Raises:
        DeclarationError: when an attribute has no valid value.
        QueuesError: when the file with the queues cannot be read.
    """
    said = {option: getattr(case, option.ini) for option in options}
    return {
        option: option.taken(Given(value, f"{case.__qualname__}.{option.ini}", folder))
        for option, value in said.items()
        if value is not None
    }
