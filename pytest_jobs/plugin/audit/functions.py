"""Functions that are jobs, as those of RQ, arq and Django-Q2, or of tasks, and that tests call as functions.

A function has no method of its library that could be captured, and each module that imports it has a name for
it. That of a task is called past the task, as `task.func(1)` or `actor.fn(1)`. So its code is exchanged, and not
its names: the function stays the same object. Its own code is back while a check runs, which looks at the lines.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from ...bridges.call_capture import Called, capturing
from ...bridges.libraries.known import EVERY
from ...bridges.opening import asking_bridges
from ...bridges.toolkit import function_at, is_class_method, path_of
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
        #: Each with its own code, the code that stands in for it, and the signature that libraries read meanwhile.
        self._codes: list[tuple[FunctionType, CodeType, CodeType, inspect.Signature]] = []
        #: Those whose parameters are named by a signature of their own meanwhile.
        self._signed: set[FunctionType] = set()
        jobs = running_jobs(root).jobs
        with asking_bridges(apps, ignore) as (bridges, self.left_out):
            by_name = {bridge.name: bridge for bridge in bridges}
            for registered in jobs:
                job = registered.job
                bridge: Any = by_name.get(job.bridge)
                found = None if bridge is None else _function_of(bridge, job.name)
                if found is not None:
                    # A task says by itself of which library it is.
                    is_function = isinstance(found[0], FunctionType | MethodType)
                    library = job.bridge if is_function else ""
                    self._watch(*found, job.name, library, is_bound=registered.is_bound)
        for _, module, _, function in variables_of_modules(lambda kind: kind is FunctionType):
            # A decorator of the project may give it the method that enqueues it.
            if not is_installed(module) and not _METHODS.isdisjoint(vars(function)):
                path = path_of(function)
                if id(function_at(path)) == id(function):
                    self._watch(function, function, path)

    def _watch(
        self,
        job: object,
        function: FunctionType,
        name: str,
        library: str = "",
        *,
        is_bound: bool = False,
    ) -> None:
        code = function.__code__
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
            if is_class_method(job):
                # Each class below the one that has it has the same function.
                own = getattr(args[0], function.__name__)
                return Called(own, path_of(own), own, args[1:], kwargs, None, library)
            # The first argument of some jobs is given by the library, such as the context of arq.
            context = args[0] if is_bound and args and isinstance(args[0], Mapping) else None
            return Called(job, name, function, args[is_bound:], kwargs, context, library)

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
        self._codes.append((function, code, stand_in, _signature_of(function)))

    def exchange(self, seen: bool) -> None:
        """Exchange the codes, or put the own ones back."""
        for function, own, stand_in, signature in self._codes:
            if (function.__code__ is stand_in) is seen:
                continue
            # Libraries look at the parameters: to inject them, say.
            known = vars(function)
            if seen and "__signature__" not in known:
                known["__signature__"] = signature
                self._signed.add(function)
            elif not seen and function in self._signed:
                self._signed.remove(function)
                del known["__signature__"]
            function.__code__ = stand_in if seen else own


def _signature_of(function: FunctionType) -> inspect.Signature:
    """Return the signature as a library reads it: of one that is given, nobody evaluates annotations in quotes."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:
        # Names that are imported for a checker of types alone.
        return inspect.signature(function)


def _function_of(bridge: Any, name: str) -> tuple[object, FunctionType] | None:
    """Return a job and its function; None if the function is of no module of the project."""
    row = EVERY.get(bridge.name)
    if row is None:
        return None
    # Where a decorator makes a job, it is a task that has the function.
    has_tasks = bool(not row.takes_functions and (row.decorators or row.methods))
    try:
        found = bridge.resolve(name)
        job = bridge.known(name) if has_tasks else found
    except Exception:
        # Two jobs may have one name, and each bridge says so in its own way.
        return None
    function = found.__func__ if is_class_method(found) else found
    module = sys.modules.get(found.__module__) if isinstance(function, FunctionType) else None
    if module is None or is_installed(module):
        return None
    return (job, function) if has_tasks or function_at(path_of(found)) == found else None
