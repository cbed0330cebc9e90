"""From the applications of a project, or their names, to the bridges that bring them in."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from ..errors import ApplicationError
from ..harness.records.bridge import Bridge

#: What each library calls that which its tasks are registered with; None where there is but one.
_LIBRARIES: Final[Mapping[str, str | None]] = MappingProxyType(
    {"celery": "app", "django": None, "taskiq": "broker"}
)


class _BridgeModule(Protocol):
    """What each module of this package that brings a library in has."""

    def bridge(self, applications: Sequence[Any]) -> Bridge:
        """Return a new bridge to the applications."""
        ...


def bridges_to(applications: Iterable[object]) -> list[Bridge]:
    """Return new bridges, one for each library.

    Args:
        applications: names such as "celery:proj.celery:app" or "django", or the objects themselves.

    Raises:
        ApplicationError: when one of them cannot be found, or belongs to no library that is known.
        UnknownVersionError: when the installed version of a library is not known.
    """
    by_library: dict[str, list[Any]] = {}
    for application in applications:
        library, found = (
            _named(application) if isinstance(application, str) else _itself(application)
        )
        apps = by_library.setdefault(library, [])
        if any(found is other for other in apps):
            raise ApplicationError(
                f"{application!r} is named twice: each application is bridged once, so drop one of the two."
            )
        apps.append(found)
    return [_module(library).bridge(apps) for library, apps in by_library.items()]


def _itself(application: object) -> tuple[str, object]:
    library = _library_of(application)
    if library is None:
        raise ApplicationError(
            f"{application!r} is no application of a library that pytest-jobs knows ({', '.join(_LIBRARIES)}): "
            'name a Celery app, a Taskiq broker, or "django".'
        )
    return library, application


def _named(name: str) -> tuple[str, Any]:
    library, _, path = name.partition(":")
    if library not in _LIBRARIES:
        raise ApplicationError(
            f"{name!r} names no library that pytest-jobs knows: begin with one of {', '.join(_LIBRARIES)}, "
            'as in "celery:proj.celery:app". A bridge of your own comes in by the pytest_jobs_bridges hook.'
        )
    attribute = _LIBRARIES[library]
    if attribute is None:
        if path:
            raise ApplicationError(
                f"{name!r}: {library} has one application, which it finds itself: write {library!r} alone."
            )
        return library, None
    if not path.partition(":")[2]:
        raise ApplicationError(
            f'{name!r} does not say where the {attribute} is: write "{library}:package.module:{attribute}".'
        )
    return library, _load(name, *path.split(":", 1))


def _load(name: str, module_name: str, attributes: str) -> Any:
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ApplicationError(
            f"{name!r}: {module_name} cannot be imported.\n\n{_whole(error)}"
        ) from error
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise ApplicationError(f"{name!r}: {module_name} has no {attribute!r}.") from error
    library = name.partition(":")[0]
    if _library_of(found) != library:
        raise ApplicationError(
            f"{name!r} is {found!r}, which is no {_LIBRARIES[library]} of {library}."
        )
    return found


def _library_of(application: object) -> str | None:
    """Return the library whose application something is; None for none that is known."""
    libraries = (base.__module__.partition(".")[0] for base in type(application).__mro__)
    return next((library for library in libraries if library in _LIBRARIES), None)


def _module(library: str) -> _BridgeModule:
    try:
        return cast(_BridgeModule, importlib.import_module(f"{__package__}.{library}"))
    except ModuleNotFoundError as error:
        raise ApplicationError(
            f'{error.name} is not installed: pip install "pytest-jobs[{library}]".'
        ) from error


def _whole(error: Exception) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
