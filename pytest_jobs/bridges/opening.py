"""Opening a harness where there is no fixture for it."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from ..core.enqueueing.commits import sources_in_use
from ..core.foundation.libraries import django_is_set_up
from ..core.foundation.options import nearest
from ..core.foundation.settings import settings
from ..core.foundation.vocabulary import in_our_words
from ..errors import ApplicationError, CriterionError
from ..harness.commits.core_transactions import CoreTransactions
from ..harness.commits.transactions import Transactions
from ..harness.jobs import Jobs
from ..harness.open_harness import Jitter, Mode, open_harnesses
from ..harness.records.bridge import Bridge, Bridges
from ..harness.running.inline import RaiseAt
from .core.bridge import ReferenceBridge
from .libraries.capture import LibraryCapture, bridge_module, bridge_or_reason
from .libraries.known import LIBRARIES

# By name, since the integrations lie above this room.
_DJANGO = "pytest_jobs.integrations.django.transactions"

#: The libraries of which an application can be named.
_BRIDGED: Final = MappingProxyType(
    {name: library for name, library in LIBRARIES.items() if library.is_bridged}
)


class _SettingsModule(Protocol):
    """The module of a bridge to a library of which an application is a class or dictionary."""

    def is_settings(self, application: object) -> bool: ...


class _Integration(Protocol):
    def transactions(self) -> Transactions: ...


def transactions_in_use() -> list[Transactions]:
    """Return new watchers of the transactions of every library that the program has imported and set up.

    And of those that were configured.
    """
    every = [*sources_in_use(), *(settings.transactions or ())]
    if not every:
        return []
    found: list[Transactions] = []
    if django_is_set_up():
        found.append(cast(_Integration, importlib.import_module(_DJANGO)).transactions())
    # Django's transactions are committed by the harness, and all others by the application.
    sources = [source for source in every if source.name != "django"]
    return [*found, CoreTransactions(sources)] if sources else found


def new_bridges(applications: Iterable[object]) -> list[Bridge]:
    """Return the bridges of a new harness: of the core, to the applications, and those that plugins bring in."""
    return [ReferenceBridge(), *bridges_to(applications), *open_harnesses.further_bridges()]


def bridges_to(applications: Iterable[object]) -> list[Bridge]:
    """Return new bridges, one for each library of which an application is named.

    Args:
        applications: names such as "celery:proj.celery:app" or "django", or the objects themselves.

    Raises:
        ApplicationError: when one of them cannot be found, or belongs to no library that is known.
        UnknownVersionError: when the installed version of a library lacks what its bridge relies on.
    """
    by_library: dict[str, list[Any]] = {}
    for application in applications:
        found: Any = application
        if isinstance(application, str):
            library, found = _named(application)
        elif (owner := _library_of(application)) is not None:
            library = owner
        else:
            raise ApplicationError(
                f"{application!r} is not an application of a library that pytest-jobs knows "
                f'({", ".join(_BRIDGED)}): pass an application, or a name such as "celery:proj.celery:app".'
            )
        apps = by_library.setdefault(library, [])
        if any(found is other for other in apps):
            raise ApplicationError(
                f"{application!r} is named twice: each application is bridged once, so drop one of the two."
            )
        apps.append(found)
    bridges = []
    for library, apps in by_library.items():
        try:
            module = bridge_module(library)
        except ModuleNotFoundError as error:
            raise ApplicationError(
                f'{error.name} is not installed: pip install "pytest-jobs[{library}]".'
            ) from error
        bridges.append(module.bridge(apps))
    return bridges


@contextmanager
def asking_bridges(
    applications: Iterable[object] = (), ignore: Collection[str] = ()
) -> Generator[tuple[Bridges, list[str]], None, None]:
    """Give a block the bridges to all libraries that are imported, to ask them for jobs, and lines on the others.

    Args:
        applications: names of applications, or the objects themselves.
        ignore: the names of libraries that are not asked.
    """
    with Jobs(new_bridges(applications), capture=LibraryCapture(ignore)) as jobs:
        known = {*ignore, *(bridge.name for bridge in jobs.harness.bridges)}
        others = (
            each for each in LIBRARIES.values() if each.is_imported and each.name not in known
        )
        yield (
            jobs.harness.bridges,
            [f"{each.title} is left out: {bridge_or_reason(each)}." for each in others],
        )


def _named(name: str) -> tuple[str, Any]:
    """Return the library and the application that a name in `jobs_apps` stands for."""
    library, _, path = name.partition(":")
    if library not in _BRIDGED:
        raise ApplicationError(
            f"{name!r} names no library that pytest-jobs knows: begin with one of {', '.join(_BRIDGED)}, "
            'as in "celery:proj.celery:app". A bridge of your own comes in by the pytest_jobs_bridges hook.'
        )
    called = _BRIDGED[library].application
    if called is None:
        if path:
            raise ApplicationError(
                f"{name!r}: {library} has one application, which it finds itself: write {library!r} alone."
            )
        return library, None
    module_name, _, attributes = path.partition(":")
    if not attributes:
        raise ApplicationError(
            f'{name!r} does not say where the {called} is: write "{library}:package.module:{called}".'
        )
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise ApplicationError(f"{name!r}: {_not_there(missing)}") from None
        shown = "".join(traceback.format_exception(error)).rstrip()
        raise ApplicationError(f"{name!r}: {module_name} cannot be imported.\n\n{shown}") from error
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise ApplicationError(f"{name!r}: {module_name} has no {attribute!r}.") from error
    if _library_of(found) != library:
        raise ApplicationError(f"{name!r} is {found!r}, which is no {called} of {library}.")
    return library, found


def _not_there(module: str) -> str:
    """Return that a module does not exist, with the nearest one, and where the top of a path is looked for."""
    package = module.rpartition(".")[0]
    folders = getattr(sys.modules.get(package), "__path__", ()) if package else None
    beside = pkgutil.iter_modules(folders, f"{package}." if package else "")
    text = f"there is no module {module!r}{nearest(module, [each.name for each in beside])}"
    if package:
        return text
    return f"{text} Is its folder among those that pytest imports from, as by pythonpath = . in the ini file?"


def _library_of(application: object) -> str | None:
    """Return the library of an application; None for a library that is not known."""
    libraries = (base.__module__.partition(".")[0] for base in type(application).__mro__)
    found = next((library for library in libraries if library in _BRIDGED), None)
    if found is not None:
        return found
    with_settings = (
        library for library in _BRIDGED.values() if library.has_settings and library.is_imported
    )
    return next(
        (
            each.name
            for each in with_settings
            if cast(_SettingsModule, bridge_module(each.name)).is_settings(application)
        ),
        None,
    )


@in_our_words(CriterionError, by_position="apps")
def open_jobs(
    *,
    apps: Iterable[object] = (),
    mode: Mode | None = None,
    raise_at: RaiseAt = "end",
    jitter: Jitter = "zero",
    ignore: Collection[str] = (),
) -> Jobs:
    """Return a harness to be opened by `with`: for test runners other than pytest, and for scripts.

    Args:
        apps: applications that nothing imports, or that go before others which know a job of the same name:
            themselves, or names such as "celery:proj.celery:app" or "django". Every job library that the program
            imports is captured without them.
        mode: `record` keeps jobs until a verb performs them, `inline` performs each when due. None records too,
            but for background tasks of Starlette, which the application goes on performing.
        raise_at: where the error of an inline job is raised: at the `end` of the block, or at
            `enqueue`, in the caller.
        jitter: `zero` for the shortest wait always, `seeded` for the same waits in every run,
            `live` for chance.
        ignore: names of libraries whose jobs are let through to their real queues, unseen.

    Raises:
        ApplicationError: when an application cannot be found.
    """
    return Jobs(
        new_bridges(apps),
        capture=LibraryCapture(ignore),
        # After the bridges, which may be the first to set a database library up.
        transactions=transactions_in_use(),
        mode=mode,
        raise_at=raise_at,
        jitter=jitter,
    )
