"""Functions of a module that are jobs, such as those of RQ, arq and Django-Q2, and that tests call as functions.

A function has no method of its library that could be captured, and each module that imports it has a name for it.
So its code is exchanged, and not its names: the function stays the same object. Its own code is back while a check
runs, which looks at the lines of a job.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

from ...bridges.calls import Called, capturing
from ...bridges.libraries.known import EVERY
from ...bridges.opening import asking_bridges
from ...bridges.toolkit import function_at, path_of
from ...core.foundation.vocabulary import ENQUEUES
from ...harness.records.attributes import variables_of_modules
from ...harness.records.home import is_installed
from ...insight.source.running import running_jobs

_METHODS: Final = frozenset(ENQUEUES)
#: In the place of this constant the code of a function gets what it calls.
_CALLED: Final = "called"


def _called(*args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    called: Any = "called"
    return called(*args, **kwargs)


async def _acalled(*args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    called: Any = "called"
    return await called(*args, **kwargs)


class CalledFunctions:
    """Exchanges the code of functions that are jobs, while direct calls are seen."""

    def __init__(self, root: Path, apps: Iterable[object], ignore: Collection[str]) -> None:
        """Find the functions that are jobs by the modules that are imported.

        Args:
            root: the folder whose calls say what is enqueued.
            apps: applications that nothing imports.
            ignore: the names of libraries whose jobs are left alone.
        """
        #: Each with its own code, and the code that stands in for it.
        self._codes: list[tuple[FunctionType, CodeType, CodeType]] = []
        #: Those whose parameters are named by a signature of their own meanwhile.
        self._signed: set[FunctionType] = set()
        jobs = running_jobs(root).jobs
        #: The names of the jobs that are functions.
        self.names: set[str] = set()
        with asking_bridges(apps, ignore) as (bridges, _):
            by_name = {bridge.name: bridge for bridge in bridges}
            for registered in jobs:
                bridge: Any = by_name.get(registered.job.bridge)
                found = None if bridge is None else _function_of(bridge, registered.job.name)
                if found is not None:
                    self._watch(found, registered.job.name, is_bound=registered.is_bound)
        for _, module, _, function in variables_of_modules(lambda kind: kind is FunctionType):
            # A decorator of the project may give it the method that enqueues it.
            if not is_installed(module) and not _METHODS.isdisjoint(vars(function)):
                path = path_of(function)
                if id(function_at(path)) == id(function):
                    self._watch(function, path)

    def _watch(self, function: FunctionType, name: str, *, is_bound: bool = False) -> None:
        code = function.__code__
        self.names.add(name)
        is_async = inspect.iscoroutinefunction(function)
        if any(function is other for other, *_ in self._codes) or (
            not is_async and code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR)
        ):
            return
        genuine = FunctionType(
            code, function.__globals__, name, function.__defaults__, function.__closure__
        )
        genuine.__kwdefaults__ = function.__kwdefaults__

        def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
            # The first argument of some jobs is given by the library, such as the context of arq.
            context = args[0] if is_bound and args and isinstance(args[0], Mapping) else None
            return Called(function, name, function, args[is_bound:], kwargs, context)

        called = capturing(genuine, read, "always" if is_async else "never")
        template = (_acalled if is_async else _called).__code__
        consts = tuple(called if one == _CALLED else one for one in template.co_consts)
        stand_in = template.replace(
            co_consts=consts,
            co_freevars=code.co_freevars,
            co_filename=code.co_filename,
            co_firstlineno=code.co_firstlineno,
            co_name=code.co_name,
            co_qualname=code.co_qualname,
        )
        self._codes.append((function, code, stand_in))

    def exchange(self, seen: bool) -> None:
        """Exchange the codes, or put the own ones back."""
        for function, own, stand_in in self._codes:
            if (function.__code__ is stand_in) is seen:
                continue
            # Libraries look at the parameters: to inject them, say.
            known = vars(function)
            if seen and "__signature__" not in known:
                known["__signature__"] = inspect.signature(function)
                self._signed.add(function)
            elif not seen and function in self._signed:
                self._signed.remove(function)
                del known["__signature__"]
            function.__code__ = stand_in if seen else own


def _function_of(bridge: Any, name: str) -> FunctionType | None:
    """Return the function of a job if a module has it under its own name, and not a task in its place."""
    row = EVERY.get(bridge.name)
    if row is None or not (row.takes_functions or not (row.decorators or row.methods)):
        # Its tasks are objects, and their calls go through a method.
        return None
    try:
        found = bridge.resolve(name)
    except Exception:
        # Two jobs may have one name, and each bridge says so in its own way.
        return None
    is_plain = isinstance(found, FunctionType) and function_at(path_of(found)) is found
    return found if is_plain else None
