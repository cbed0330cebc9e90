"""Whether the body of a job asks for its retries itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..harness.records.attributes import enclosing_variables


def word_asked_by(body: Callable[..., Any], words: Iterable[Any]) -> str:
    """Return the name by which a body, or a decorator around it, asks for a retry; empty if none does.

    Functions that the body calls are not read.

    Args:
        body: the body of a job; a bound method where its object is what the body asks.
        words: what the library has for asking: classes such as `Retry`, and methods such as `Task.retry`.
    """
    owner = getattr(body, "__self__", None)
    function: Any = getattr(body, "__func__", body)
    # A decorator of the project may ask in the place of the body.
    while function is not None:
        for word in words if isinstance(function, FunctionType) else ():
            if any(_says(code, function, owner, word) for code in _codes(function.__code__)):
                return str(word.__qualname__)
        function = getattr(function, "__wrapped__", None)
    return ""


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield some code, and the code of the functions inside."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _says(code: CodeType, function: FunctionType, owner: object, word: Any) -> bool:
    """Say whether names in some code of a function mean a word.

    Args:
        code: the code.
        function: knows what its names mean.
        owner: the object that the function is a bound method of; None for a plain function.
        word: a class, or a method of one.
    """
    known = {**function.__globals__, **enclosing_variables(function)}
    #: What the names so far stand for: a name after them may be their attribute.
    before = [owner]
    for name in (*code.co_freevars, *code.co_names):
        if name == word.__name__ and any(_has(each, name, word) for each in before):
            return True
        # A module that is no variable is imported by the function itself.
        found = [known.get(name, sys.modules.get(name))]
        found += [vars(each).get(name) for each in before if issubclass(type(each), ModuleType)]
        if any(_is_kind(each, word) for each in found):
            return True
        before += [each for each in found if each is not None]
    return False


def _is_kind(found: Any, word: Any) -> bool:
    """Say whether an object is the class that a word is, or a class derived from it."""
    # A lazy object is not asked for its class, which would load it.
    are_classes = issubclass(type(found), type) and isinstance(word, type)
    return are_classes and issubclass(found, word)


def _has(found: Any, name: str, word: Any) -> bool:
    """Say whether the method that a word is belongs to the class of an object."""
    try:
        # Only `__class__` shows the class of a shared task, which is a proxy.
        kinds = found.__class__.__mro__
    except Exception:
        return False
    return any(vars(kind).get(name) is word for kind in kinds)
