"""Who receives each call that may enqueue, in the modules that this process has imported.

The text says `notify.send(...)`; the namespace of the module says whether `notify` is an actor, a signal of Django
or a mailbox. A name that only a running function knows, such as a parameter, stays open, and is counted.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from ...bridges.libraries.known import EVERY
from ...harness.records.attributes import attributes_of

_MISSING: Final = object()
#: The packages of job libraries.
_PACKAGES: Final = frozenset(name for each in EVERY.values() for name in each.packages)
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


class Call(NamedTuple):
    """A call whose receiver is known."""

    #: The place of the receiver, and what it is.
    place: Place
    receiver: Any
    #: The last name of what is called.
    verb: str
    #: The place and the value of the first argument; None where it is not known.
    first: tuple[Place, Any] | None


def known_calls(module: ModuleType, file: str, verbs: Collection[str]) -> Iterator[Call]:
    """Yield the calls of some names in a module whose receiver its namespace knows."""
    try:
        text = Path(file).read_text("utf-8-sig")
        tree = ast.parse(text) if any(verb in text for verb in verbs) else ast.Module([], [])
    except (OSError, ValueError, SyntaxError, RecursionError):
        # Python has read it, so it was changed or taken away meanwhile.
        return
    waiting: list[tuple[ast.AST, Callable[[str], Any]]] = [(tree, _namespace(module))]
    while waiting:
        node, values = waiting.pop()
        if isinstance(node, _SCOPES):
            values = _inside(node, values, module)
        if isinstance(node, ast.Call):
            verb = node.func
            name = verb.attr if isinstance(verb, ast.Attribute) else getattr(verb, "id", "")
            receiver = verb.value if isinstance(verb, ast.Attribute) else verb
            value = _value(receiver, values) if name in verbs else _MISSING
            if value is not _MISSING:
                yield Call(Place.of(file, receiver), value, name, _first(node, file, values))
        waiting += [(child, values) for child in ast.iter_child_nodes(node)]


def _first(call: ast.Call, file: str, values: Callable[[str], Any]) -> tuple[Place, Any] | None:
    value = _value(call.args[0], values) if call.args else _MISSING
    return None if value is _MISSING else (Place.of(file, call.args[0]), value)


def _value(node: ast.expr, values: Callable[[str], Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values(node.id)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, values)
        # By what is there: a property or a lazy object would run code of the project.
        kinds = type.mro(owner) if isinstance(owner, type) else [owner]
        return next(
            (found[node.attr] for one in kinds if node.attr in (found := attributes_of(one))),
            _MISSING,
        )
    return _MISSING


def _namespace(module: ModuleType) -> Callable[[str], Any]:
    variables = attributes_of(module)
    return lambda name: variables.get(name, vars(builtins).get(name, _MISSING))


def _said_by(annotation: ast.expr | None, values: Callable[[str], Any]) -> Any:
    """Return the class of a job library that an annotation names: what a caller gives enqueues as it does."""
    waiting: list[ast.AST] = [] if annotation is None else [annotation]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):
                waiting.append(ast.parse(node.value, mode="eval").body)
        found = _value(node, values) if isinstance(node, ast.Name | ast.Attribute) else _MISSING
        kinds = type.mro(found) if isinstance(found, type) else ()
        if any(str(one.__module__).partition(".")[0] in _PACKAGES for one in kinds):
            return found
        waiting += ast.iter_child_nodes(node)
    return _MISSING


def _inside(
    scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
    outer: Callable[[str], Any],
    module: ModuleType,
) -> Callable[[str], Any]:
    """Return the values of names in a function: of its own variables only what it imports is known."""
    arguments = scope.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    own: dict[str, Any] = {one.arg: _said_by(one.annotation, outer) for one in every}
    own |= {one.arg: _MISSING for one in (arguments.vararg, arguments.kwarg) if one is not None}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own[node.id] = _MISSING
        elif isinstance(node, ast.ImportFrom):
            package = str(attributes_of(module).get("__package__") or "")
            kept = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*(kept if node.level else ()), node.module or ""]))
            imported = attributes_of(sys.modules.get(base, scope))
            own |= {one.asname or one.name: imported.get(one.name, _MISSING) for one in node.names}
    return lambda name: own[name] if name in own else outer(name)
