"""The calls that enqueue a job, in the way of each job library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from ...bridges.libraries.known import EVERY, library_named, names_by
from .jobs import DeclaredJob, constant, keywords, unpacked
from .module import Function, Module

#: The libraries with methods of a job that enqueue it, and of queues that are given one, by the method.
_VERBS: Final = names_by(lambda each: each.verbs)
_WRAPPED: Final = names_by(lambda each: each.wrapping)
_OF_QUEUES: Final = names_by(lambda each: each.of_queues)
#: The library of what is called with the function of a job.
_BY_FUNCTION: Final = {path: each.name for each in EVERY.values() for path in each.functions}
#: The last names of all calls that enqueue.
VERBS: Final = frozenset(name for each in EVERY.values() for name in each.calls)


class Lookup(Protocol):
    """What is asked of the project."""

    def job_at(self, module: Module, node: ast.AST) -> DeclaredJob | None: ...
    def job_named(self, name: str) -> DeclaredJob | None: ...
    def is_known(self, module: Module, node: ast.AST) -> bool: ...
    def type_of(self, module: Module, node: ast.AST) -> str: ...


@dataclass(eq=False)
class Enqueue:
    """One call that enqueues a job."""

    call: ast.Call
    module: Module
    library: str
    verb: str
    #: The job; None when it is not declared in the project.
    job: DeclaredJob | None
    #: The expression that names the job.
    named: ast.expr
    #: The arguments of the job; None when they are not written in the call.
    args: list[ast.expr] | None
    kwargs: dict[str, ast.expr] | None
    options: dict[str, ast.expr] = field(default_factory=dict)

    @property
    def function(self) -> Function | None:
        return self.module.function_around(self.call)

    @property
    def values(self) -> list[ast.expr]:
        """The arguments of the job that are written in the call."""
        return [*(self.args or []), *(self.kwargs or {}).values()]


def enqueues(module: Module, project: Lookup) -> Iterator[Enqueue]:
    """Yield the calls of a module that enqueue a job."""
    for call in module.calls:
        function = call.func
        if isinstance(function, ast.Attribute):
            found = _by_method(call, function, module, project) or _by_queue(
                call, function, module, project
            )
        else:
            found = None
        found = found or _by_call(call, module, project)
        if found is not None:
            yield found


def _by_method(
    call: ast.Call, function: ast.Attribute, module: Module, project: Lookup
) -> Enqueue | None:
    verb = function.attr
    libraries = _VERBS.get(verb, ())
    wrapped = next(iter(_WRAPPED.get(verb, ())), None)
    if not libraries and wrapped is None:
        return None
    named, options = _unwrapped(function.value, module)
    job = project.job_at(module, named)
    if job is None or job.library not in (*libraries, wrapped):
        return None
    library = job.library
    if wrapped is None:
        args, kwargs = _plain(call)
        # `delay` of RQ takes the options of its queue beside the arguments of the job.
        own = EVERY[library].options & (kwargs or {}).keys() if library == "rq" else ()
        options |= {name: (kwargs or {})[name] for name in own}
        kwargs = (
            None if kwargs is None else {name: kwargs[name] for name in kwargs if name not in own}
        )
        return Enqueue(call, module, library, verb, job, named, args, kwargs, options)
    given = keywords(call)
    args_node = given.pop("args", call.args[0] if call.args else None)
    kwargs_node = given.pop("kwargs", call.args[1] if len(call.args) > 1 else None)
    args, kwargs = _listed(args_node), _mapped(kwargs_node)
    return Enqueue(call, module, library, verb, job, named, args, kwargs, options | given)


def _by_queue(
    call: ast.Call, function: ast.Attribute, module: Module, project: Lookup
) -> Enqueue | None:
    """Return an enqueue by a queue or scheduler: of a job that is known, or where the queue is."""
    libraries = _OF_QUEUES.get(function.attr, ())
    skipped = EVERY[libraries[0]].of_queues[function.attr] if libraries else 0
    if not libraries or len(call.args) <= skipped:
        return None
    named = call.args[skipped]
    text = constant(named)
    job = project.job_named(text) if isinstance(text, str) else project.job_at(module, named)
    library = "" if job is None else job.library
    # Anything may have a method `enqueue` that takes a function, so there the queue itself must be known.
    is_open = EVERY[library].takes_functions and not project.is_known(module, named)
    if is_open or library not in libraries:
        library = library_named(project.type_of(module, function.value))
    if library not in libraries:
        return None
    if function.attr in ("add_job", "send_task", "enqueue_call"):
        given = unpacked(call, module)
        args = _listed(given.pop("args", None))
        kwargs = _mapped(given.pop("kwargs", None))
        return Enqueue(call, module, library, function.attr, job, named, args, kwargs, given)
    given = keywords(call)
    args = _positional(call.args[skipped + 1 :])
    own = EVERY[library].options
    options = {name: value for name, value in given.items() if name in own or name[:1] == "_"}
    options |= {"at": call.args[0]} if skipped else {}
    kwargs = {name: value for name, value in given.items() if name not in options}
    if any(keyword.arg is None for keyword in call.keywords):
        return Enqueue(call, module, library, function.attr, job, named, args, None, options)
    return Enqueue(call, module, library, function.attr, job, named, args, kwargs, options)


def _by_call(call: ast.Call, module: Module, project: Lookup) -> Enqueue | None:
    """Return an enqueue that is a plain call: of a Huey task, of Django Q's functions, of a background task."""
    library = _BY_FUNCTION.get(module.origin(call.func))
    if library is not None and call.args:
        named = call.args[0]
        text = constant(named)
        job = project.job_named(text) if isinstance(text, str) else project.job_at(module, named)
        given = keywords(call)
        own = EVERY[library].options
        options = {name: given.pop(name) for name in [*given] if name in own}
        args = _positional(call.args[1:])
        verb = "async_task" if library == "django_q" else "BackgroundTask"
        return Enqueue(call, module, library, verb, job, named, args, given, options)
    if isinstance(call.func, ast.Name | ast.Attribute):
        job = project.job_at(module, call.func)
        if job is not None and job.library == "huey":
            args, kwargs = _plain(call)
            return Enqueue(call, module, "huey", "call", job, call.func, args, kwargs)
    return None


def _unwrapped(node: ast.expr, module: Module) -> tuple[ast.expr, dict[str, ast.expr]]:
    """Return the job below calls such as `.set(wait=60)`, and the options that those say."""
    options: dict[str, ast.expr] = {}
    for _ in range(8):
        if isinstance(node, ast.Name) and node.id not in module.imported:
            value = module.local_value(node.id, node)
            if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
                break
            node = value
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            break
        options = keywords(node) | options
        node = node.func.value
    return node, options


def _plain(call: ast.Call) -> tuple[list[ast.expr] | None, dict[str, ast.expr] | None]:
    unknown = any(keyword.arg is None for keyword in call.keywords)
    return _positional(call.args), None if unknown else keywords(call)


def _positional(args: list[ast.expr]) -> list[ast.expr] | None:
    return None if any(isinstance(one, ast.Starred) for one in args) else args


def _listed(node: ast.expr | None) -> list[ast.expr] | None:
    if node is None:
        return []
    return _positional(node.elts) if isinstance(node, ast.Tuple | ast.List) else None


def _mapped(node: ast.expr | None) -> dict[str, ast.expr] | None:
    if node is None:
        return {}
    if not isinstance(node, ast.Dict):
        return None
    keys = [constant(key) for key in node.keys]
    if not all(isinstance(key, str) for key in keys):
        return None
    return {str(key): value for key, value in zip(keys, node.values, strict=True)}
