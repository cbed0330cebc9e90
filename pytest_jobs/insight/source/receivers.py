"""Who receives each call that may enqueue, in the modules that this process has imported.

The text says `notify.send(...)`; the namespace of the module says whether `notify` is an actor, a signal of Django
or a mailbox. A name that only a running function knows, such as a parameter, stays open, and is counted.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple, cast

from ...bridges.libraries.known import library_named
from ...harness.records.attributes import attributes_of, is_one_of

_MISSING: Final = object()
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Place(NamedTuple):
    """An expression in a file: where it begins, and the column at which it ends."""

    file: str
    line: int
    column: int
    end: int

    @classmethod
    def of(cls, file: str, node: ast.expr) -> Place:
        return cls(file, node.lineno, node.col_offset, node.end_col_offset or 0)


class Passing(NamedTuple):
    """A function of the project, which may pass its first argument on."""

    file: str
    line: int
    name: str


class Each(NamedTuple):
    """What an expression is in turn, such as `cls.handle` in the classes that inherit the code."""

    values: list[Any]


class Call(NamedTuple):
    """A call whose receiver is known."""

    #: The place of the receiver, and what it is.
    place: Place
    receiver: Any
    #: The last name of what is called.
    verb: str
    #: The place and the value of the first argument; None where it is not known.
    first: tuple[Place, Any] | None
    #: The function around the call whose first parameter is the first argument; None if there is none.
    within: Passing | None
    #: What is called, if it is a function of Python.
    function: Passing | None


def known_calls(module: ModuleType, file: str, verbs: Collection[str]) -> Iterator[Call]:
    """Yield the calls of some names in a module whose receiver its namespace knows."""
    try:
        text = Path(file).read_text("utf-8-sig")
        tree = ast.parse(text) if any(verb in text for verb in verbs) else ast.Module([], [])
    except (OSError, ValueError, SyntaxError, RecursionError):
        # Python has read it, so it was changed or taken away meanwhile.
        return
    # With the functions around by the names of their first parameters.
    around: dict[str, Passing] = {}
    waiting = [(cast(ast.AST, tree), _namespace(module), around, _MISSING)]
    while waiting:
        node, values, around, owner = waiting.pop()
        if isinstance(node, _SCOPES):
            values = _inside(node, values, module, owner)
        if not isinstance(node, ast.expr):
            owner = (
                _value(ast.Name(node.name), values) if isinstance(node, ast.ClassDef) else _MISSING
            )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parameters = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            first = next((name for name in parameters if name not in ("self", "cls")), "")
            # As its code says it.
            line = min(each.lineno for each in (node, *node.decorator_list))
            around = {**around, first: Passing(file, line, node.name)}
        if isinstance(node, ast.Call):
            called = node
            if node.args and _value(node.func, values) is partial:
                # Who gets it makes the call.
                called = ast.Call(node.args[0], node.args[1:], node.keywords)
            verb = called.func
            name = verb.attr if isinstance(verb, ast.Attribute) else getattr(verb, "id", "")
            receiver = verb.value if isinstance(verb, ast.Attribute) else verb
            value = _value(receiver, values) if name in verbs else _MISSING
            if value is not _MISSING:
                given = called.args[0] if called.args else None
                yield Call(
                    Place.of(file, receiver),
                    value,
                    name,
                    _first(called, file, values),
                    around.get(given.id) if isinstance(given, ast.Name) else None,
                    _function(_value(verb, values)),
                )
        waiting += [(child, values, around, owner) for child in ast.iter_child_nodes(node)]


def _function(value: Any) -> Passing | None:
    """Return the place of a function, or of the one of a method that a class has."""
    function = value.__func__ if is_one_of((MethodType, staticmethod), value) else value
    if not is_one_of((FunctionType,), function):
        return None
    code = inspect.unwrap(function).__code__
    return Passing(str(Path(code.co_filename).resolve()), code.co_firstlineno, code.co_name)


def _first(call: ast.Call, file: str, values: Callable[[str], Any]) -> tuple[Place, Any] | None:
    value = _value(call.args[0], values) if call.args else _MISSING
    return None if value is _MISSING else (Place.of(file, call.args[0]), value)


def _value(node: ast.expr, values: Callable[[str], Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values(node.id)
    if isinstance(node, ast.Call):
        # A class or a function of a job library stands for what it makes.
        made_by = _value(node.func, values)
        return made_by if _is_of_library(made_by) else _MISSING
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, values)
        if isinstance(owner, Each):
            return Each([_attribute(one, node.attr) for one in owner.values])
        return _attribute(owner, node.attr)
    return _MISSING


def _attribute(owner: Any, name: str) -> Any:
    """Return an attribute by what is there: a property or a lazy object would run code of the project."""
    kinds = type.mro(owner) if isinstance(owner, type) else [owner]
    every = (found[name] for one in kinds if name in (found := attributes_of(one)))
    value = next(every, _MISSING)
    if value is None and isinstance(owner, ModuleType):
        return _made_elsewhere(owner, name)
    is_method = is_one_of((classmethod,), value)
    return MethodType(cast(Any, value).__func__, owner) if is_method else value


def _below(kind: type) -> list[type]:
    """Return a class and those that derive from it, without abstract ones."""
    derived: list[type] = type.__subclasses__(kind)
    below = [one for each in derived for one in _below(each)]
    return below if inspect.isabstract(kind) else [kind, *below]


def _namespace(module: ModuleType, *, is_whole: bool = True) -> Callable[[str], Any]:
    variables = attributes_of(module)

    def values(name: str) -> Any:
        value = variables.get(name, vars(builtins).get(name, _MISSING))
        return _made_elsewhere(module, name) if value is None and is_whole else value

    return values


def _made_elsewhere(module: ModuleType, name: str) -> Any:
    """Return what of a job library a module makes for a variable that is None here; None if it makes nothing.

    Many a project has a queue only where a setting says so, and not in its tests.
    """
    with suppress(OSError, TypeError, ValueError, SyntaxError, RecursionError):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8-sig"))):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                made = _value(cast(ast.Assign, node).value, _namespace(module, is_whole=False))
                if _is_of_library(made):
                    return made
    return None


def _said_by(annotation: ast.expr | None, values: Callable[[str], Any]) -> Any:
    """Return the class of a job library that an annotation names: what a caller gives enqueues as it does."""
    waiting: list[ast.AST] = [] if annotation is None else [annotation]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):
                waiting.append(ast.parse(node.value, mode="eval").body)
        found = _value(node, values) if isinstance(node, ast.Name | ast.Attribute) else _MISSING
        if isinstance(found, type) and _is_of_library(found):
            return found
        waiting += ast.iter_child_nodes(node)
    return _MISSING


def _is_of_library(value: Any) -> bool:
    """Say whether a class or a function is of a job library, or derives from what is."""
    kinds = type.mro(value) if isinstance(value, type) else [value]
    return any(
        library_named(str(one.__module__)) for one in kinds if is_one_of((FunctionType, type), one)
    )


def _inside(
    scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
    outer: Callable[[str], Any],
    module: ModuleType,
    owner: Any,
) -> Callable[[str], Any]:
    """Return the values of names in a function: what it imports, and what it gets from a job library."""
    arguments = scope.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    own: dict[str, Any] = {one.arg: _said_by(one.annotation, outer) for one in every}
    own |= {one.arg: _MISSING for one in (arguments.vararg, arguments.kwarg) if one is not None}
    if isinstance(owner, type) and is_one_of(
        (classmethod,), attributes_of(owner).get(getattr(scope, "name", ""))
    ):
        own[every[0].arg] = Each(_below(owner))
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own[node.id] = _MISSING
        elif isinstance(node, ast.ImportFrom):
            package = str(attributes_of(module).get("__package__") or "")
            kept = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*(kept if node.level else ()), node.module or ""]))
            imported = attributes_of(sys.modules.get(base, scope))
            own |= {one.asname or one.name: imported.get(one.name, _MISSING) for one in node.names}

    def values(name: str) -> Any:
        return own[name] if name in own else outer(name)

    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = _value(node.value, values)
            own |= {one.id: made for one in node.targets if isinstance(one, ast.Name)}
    return values
