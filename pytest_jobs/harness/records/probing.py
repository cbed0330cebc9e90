"""Whether the installed version of a library still has what we patch and call."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, Final, TypeAlias

from ...errors import JobsWarning, UnknownVersionError

#: A minor version, such as (5, 7).
Minor: TypeAlias = tuple[int, int]

_PASSED: Final = ""


class Probe:
    """Looks for the seams of a library: what we patch, and what we call. It looks once a process, at first use.

    A seam is written as it is used. `"celery.app.amqp:AMQP.producer_pool"` must exist.
    `"celery.app.trace:build_tracer(_, _, app=)"` must take two arguments by position, and `app` by its name;
    of a method the first one is `self`.
    """

    __slots__ = ("_found", "_library", "_seams", "_tested")

    #: The warnings of newer versions, once a process: several probes may look at one library.
    _announced: ClassVar[set[str]] = set()

    def __init__(self, library: str, *seams: str, tested: tuple[Minor, Minor]) -> None:
        """Describe a library.

        Args:
            library: its name in messages and for pip.
            seams: what must be there.
            tested: the oldest and the newest minor version that our tests ran with.
        """
        self._library = library
        self._seams = seams
        self._tested = tested
        #: By the version: what is wrong with it, or _PASSED.
        self._found: dict[str, str] = {}

    def check(self, version: str) -> None:
        """Look for the seams, and warn once of a version that is newer than those tested.

        Args:
            version: the installed version, such as "5.7.0".

        Raises:
            UnknownVersionError: when a seam is missing; it names the seam and the version.
        """
        found = self._found.get(version)
        if found is None:
            missing = next(filter(None, map(_missing, self._seams)), _PASSED)
            numbers = re.match(r"(\d+)\.(\d+)", version)
            # A version that is no number counts as an old one.
            minor = (0, 0) if numbers is None else (int(numbers[1]), int(numbers[2]))
            is_newer = minor > self._tested[1]
            if missing:
                found = self._refusal(version, missing, is_newer=is_newer)
            else:
                found = _PASSED
                if is_newer:
                    self._announce(version)
            self._found[version] = found
        if found:
            raise UnknownVersionError(found)

    def _refusal(self, version: str, missing: str, *, is_newer: bool) -> str:
        oldest, (major, minor) = self._tested
        release = f'"{self._library}>={_text(oldest)},<{major}.{minor + 1}"'
        advice = (
            f"Upgrade pytest-jobs, or install {release}." if is_newer else f"Install {release}."
        )
        return (
            f"{self._library} {version} {missing}, and pytest-jobs relies on that: it was tested with "
            f"{self._library} {self.range}. {advice}"
        )

    def _announce(self, version: str) -> None:
        text = (
            f"{self._library} {version} is newer than what pytest-jobs was tested with ({self.range}); its "
            "seams are where they were."
        )
        if text in self._announced:
            return
        self._announced.add(text)
        try:
            warnings.warn(text, JobsWarning, stacklevel=4)
        except JobsWarning:
            # A suite that takes warnings for errors shall not stop at each release of a library.
            with warnings.catch_warnings():
                warnings.simplefilter("always", JobsWarning)
                warnings.warn(text, JobsWarning, stacklevel=4)

    @property
    def range(self) -> str:
        """The versions that our tests ran with, as in "5.5 to 5.7"."""
        return " to ".join(map(_text, self._tested))


def _missing(seam: str) -> str:
    """Return what a library lacks of a seam, as the end of a sentence that begins with its name."""
    path, called, arguments = seam.partition("(")
    module, _, attributes = path.partition(":")
    shown = f"{module}.{attributes}"
    try:
        found: Any = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError):
        return f"has no {shown}"
    refused = _refused(found, arguments.rstrip(")")) if called else ""
    return f"does not take the call {shown}({arguments} ({refused})" if refused else ""


def _refused(function: Callable[..., Any], arguments: str) -> str:
    """Return why a function would refuse a call; empty when it takes it, or has no signature to read."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return ""
    given = arguments.split(", ") if arguments else []
    named = [name.removesuffix("=") for name in given if name.endswith("=")]
    try:
        signature.bind(*given[: len(given) - len(named)], **dict.fromkeys(named))
    except TypeError as error:
        return str(error)
    return ""


def _text(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"
