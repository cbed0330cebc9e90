"""What a test case is configured to without pytest: the options in pytest's ini file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args

from ..bridges.libraries.known import LIBRARIES
from ..core.foundation.options import nearest
from ..errors import DeclarationError
from ..harness.ledger.queues import Queues
from ..harness.open_harness import Jitter, Mode
from ..harness.running.inline import RaiseAt
from ..integrations.ini_options import NAMES, nearest_option

T = TypeVar("T")

_TRUE: Final = ("1", "true", "t", "yes", "y", "on")
_FALSE: Final = ("0", "false", "f", "no", "n", "off")


class CaseSettings(NamedTuple):
    """The settings of the harness that a test case opens."""

    #: The applications to bridge, as for `open_jobs`.
    apps: tuple[object, ...] = ()
    #: None where nobody has said one.
    mode: Mode | None = None
    raise_at: RaiseAt = "end"
    jitter: Jitter = "zero"
    strict: bool = False
    #: The queues that the workers serve; None for all queues alike.
    queues: Queues | None = None
    #: Names of the libraries whose jobs are let through unseen.
    ignore: tuple[str, ...] = ()


def settings_of_ini_file(directory: Path) -> CaseSettings:
    """Return what the ini file of pytest says that is found from a directory upwards.

    Raises:
        DeclarationError: when an option has no valid value.
        QueuesError: when the file with the queues cannot be read.
    """
    from ..integrations.ini_file import find_ini_file

    found = find_ini_file(directory)
    if found is None:
        return CaseSettings()
    options = _Options(found.path, found.values)
    options.check_names()
    return options.settings()


def queues_of(given: Queues | str | Path, directory: Path, *environment: str) -> Queues:
    """Return queues that were given themselves, or as the file of the workers.

    Raises:
        QueuesError: when the file cannot be read.
    """
    if isinstance(given, Queues):
        return given
    from ..integrations.queues import load_queues

    return load_queues(directory / given, environment=next(iter(environment), None))


def libraries_of(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the names of libraries that are let through, checked.

    Raises:
        DeclarationError: when one of them is not the name of a job library; with the nearest.
    """
    found = (names,) if isinstance(names, str) else tuple(names)
    for name in found:
        if name not in LIBRARIES:
            raise DeclarationError(
                f"{where}: {name!r} is not a job library{nearest(name, LIBRARIES)} "
                f"The libraries are {', '.join(sorted(LIBRARIES))}."
            )
    return found


class _Options:
    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self._path = path
        self._values = values

    def settings(self) -> CaseSettings:
        mode = self._choice("jobs_mode", (*get_args(Mode), "off"), "")
        if mode == "off":
            self._refuse(
                "jobs_mode",
                "a JobsTestCase cannot do without a harness: set jobs_mode to 'record' or 'inline' in the class",
            )
        return CaseSettings(
            apps=self._names("jobs_apps"),
            mode=cast(Mode, mode) if mode else None,
            raise_at=cast(RaiseAt, self._choice("jobs_raise", get_args(RaiseAt), "end")),
            jitter=cast(Jitter, self._choice("jobs_jitter", get_args(Jitter), "zero")),
            strict=self._switch("jobs_strict"),
            queues=self._queues(),
            ignore=libraries_of(self._names("jobs_ignore"), f"{self._path.name}: jobs_ignore"),
        )

    def check_names(self) -> None:
        """Refuse a name that is nearly one of ours. Others may belong to a plugin that is not asked here."""
        for name in self._values:
            meant = nearest_option(name) if name.startswith("jobs_") and name not in NAMES else None
            if meant is not None:
                raise DeclarationError(
                    f"{self._path.name}: {name} is not an option of pytest-jobs: did you mean {meant}? "
                    f"The options are {', '.join(NAMES)}."
                )

    def _choice(self, name: str, valid: tuple[str, ...], default: str) -> str:
        given = self._values.get(name, default)
        # As for the plugin, an empty mode is none.
        if given not in valid and (given or name != "jobs_mode"):
            self._refuse(name, f"valid are {', '.join(valid)}")
        return given or default

    def _switch(self, name: str) -> bool:
        given = str(self._values.get(name, False)).lower()
        if given not in (*_TRUE, *_FALSE):
            self._refuse(name, "valid are true and false")
        return given in _TRUE

    def _words(self, name: str) -> list[str]:
        given = self._values.get(name, [])
        return shlex.split(given) if isinstance(given, str) else list(given)

    def _names(self, name: str) -> tuple[str, ...]:
        return tuple(word for text in self._words(name) for word in text.split(",") if word)

    def _queues(self) -> Queues | None:
        words = self._words("jobs_queues")
        if len(words) > 2:
            self._refuse("jobs_queues", "it is a file, and its environment where it has any")
        return queues_of(words[0], self._path.parent, *words[1:]) if words else None

    def _refuse(self, name: str, reason: str) -> None:
        raise DeclarationError(f"{self._path.name}: {name} is {self._values[name]!r}; {reason}.")
