"""Opening a harness where there is no fixture for it."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from ..core.enqueueing.commits import sources_in_use
from ..core.foundation.libraries import django_is_set_up
from ..core.foundation.settings import settings
from ..errors import ApplicationError
from ..harness.commits.core_transactions import CoreTransactions
from ..harness.commits.transactions import Transactions
from ..harness.jobs import Jobs
from ..harness.open_harness import Jitter, Mode
from ..harness.records.bridge import Bridge
from ..harness.running.inline import RaiseAt
from .core.bridge import ReferenceBridge

# By name, since the rooms that know third parties lie above this one.
_DJANGO = "pytest_jobs.integrations.django.transactions"
#: Django's are committed by the harness, and those of all others by the application.
_COMMITTED_BY_VERB: Final = "django"


class _Integration(Protocol):
    def transactions(self) -> Transactions: ...


def transactions_in_use() -> list[Transactions]:
    """Return new watchers of the transactions of every library that the program has imported and set up.

    And of those that were configured.
    """
    every = [*sources_in_use(), *(settings.transactions or ())]
    if not every:
        return []
    found = [_transactions_of(_DJANGO)] if django_is_set_up() else []
    sources = [source for source in every if source.name != _COMMITTED_BY_VERB]
    return [*found, CoreTransactions(sources)] if sources else found


def _transactions_of(module: str) -> Transactions:
    return cast(_Integration, importlib.import_module(module)).transactions()


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


def open_jobs(
    *,
    apps: Iterable[object] = (),
    mode: Mode = "record",
    raise_at: RaiseAt = "end",
    jitter: Jitter = "zero",
) -> Jobs:
    """Return a harness to be opened by `with`: for test runners other than pytest, and for scripts.

    Args:
        apps: the applications of job libraries to bridge, themselves or by names such as
            "celery:proj.celery:app" or "django".
        mode: `record` keeps jobs until a verb performs them, `inline` performs each when due.
        raise_at: where the error of an inline job is raised: at the `end` of the block, or at
            `enqueue`, in the caller.
        jitter: `zero` for the shortest wait always, `seeded` for the same waits in every run,
            `live` for chance.

    Raises:
        ApplicationError: when an application cannot be found.
    """
    bridges = [ReferenceBridge(), *bridges_to(apps)]
    return Jobs(
        bridges,
        # After the bridges, which may be the first to set a database library up.
        transactions=transactions_in_use(),
        mode=mode,
        raise_at=raise_at,
        jitter=jitter,
    )
