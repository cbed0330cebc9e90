"""A job of the project in its text, and what the arguments of calls say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..seen.session import SeenJob
from .module import Function, Module

#: The name of the options that a call unpacks from elsewhere.
UNKNOWN: Final = "**"


@dataclass(eq=False)
class DeclaredJob:
    """One job in the source."""

    #: Its dotted name.
    name: str
    #: The library that runs it: `core`, `celery`, `function` for one that the settings name.
    library: str
    module: Module
    #: What a worker runs.
    body: Function
    #: The class of the job, if it is one.
    cls: ast.ClassDef | None = None
    #: What its decorators say, by the name of the option.
    options: dict[str, ast.expr] = field(default_factory=dict)
    #: Whether the first parameter is the job itself, or the context of the worker.
    is_bound: bool = False
    #: Whether an application of Celery schedules it: the text need not have its schedule.
    recurs: bool = False
    #: The job as its library knows it; None for a function that the settings name.
    registered: SeenJob | None = None

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_coroutine(self) -> bool:
        return isinstance(self.body, ast.AsyncFunctionDef)

    def calls(self) -> Iterator[ast.Call]:
        """Yield the calls in the body, in the order of the source."""
        found = [node for node in ast.walk(self.body) if isinstance(node, ast.Call)]
        yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))

    def retry_calls(self) -> list[ast.Call]:
        """Return the calls by which it asks to be tried again: `self.retry(...)`."""
        return [
            call
            for call in self.calls()
            if isinstance(call.func, ast.Attribute)
            and call.func.attr == "retry"
            and ast.unparse(call.func.value) in ("self", self.short)
        ]


def receiver_of(call: ast.Call) -> ast.expr:
    """Return what a method is called on; of a plain call, what is called."""
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments that a call passes by their names."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def unpacked(call: ast.Call, module: Module) -> dict[str, ast.expr]:
    """Return the named arguments of a call, with the dictionaries of the module that it unpacks.

    A dictionary that the module does not write is under the name `**`; see `lacks`.
    """
    found: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        value: ast.expr | None = keyword.value
        if keyword.arg is not None:
            found[keyword.arg] = keyword.value
            continue
        if isinstance(value, ast.Name):
            value = module.local_value(value.id, call)
        found |= entries(value) if isinstance(value, ast.Dict) else {UNKNOWN: keyword.value}
    return found


def entries(node: ast.expr | None) -> dict[str, ast.expr]:
    """Return the entries of a dictionary that is written there, by their keys, and what it unpacks by `**`."""
    if not isinstance(node, ast.Dict):
        return {}
    pairs = zip(node.keys, node.values, strict=True)
    return {UNKNOWN if key is None else str(constant(key)): value for key, value in pairs}


def lacks(options: dict[str, ast.expr], *names: str) -> bool:
    """Say whether none of some options is given, also not by a dictionary that comes from elsewhere."""
    return not options.keys() & {UNKNOWN, *names}


def constant(node: ast.AST | None) -> object:
    """Return the value of a literal; None when the node is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = constant(node.operand)
        return -value if isinstance(value, int | float) else None
    return node.value if isinstance(node, ast.Constant) else None


def recurs(call: ast.Call) -> bool:
    """Say whether a call makes a schedule of Django-Q2 that sends its task again: by default it does so once."""
    given = keywords(call)
    given |= entries(given.get("defaults"))
    kind = given.get("schedule_type")
    return kind is not None and constant(kind) != "O" and not ast.unparse(kind).endswith("ONCE")


def without_none(node: ast.expr | None) -> ast.expr | None:
    """Return the part of `X | None`, `Optional[X]` or `Annotated[X, ...]` that is a name."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return node.right if isinstance(node.left, ast.Constant) else node.left
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(
        ("Optional", "Annotated")
    ):
        inner = node.slice
        return inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
    return node
