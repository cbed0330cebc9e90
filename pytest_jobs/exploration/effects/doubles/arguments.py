"""The arguments of a call: as a text, in a form that can be compared, and the idempotency key among them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from ....harness.records.home import is_in_packages
from ....harness.records.texts import call_of
from ...engine.acts import watcher
from ...engine.sameness.fields import loaded_columns, public_fields
from ...engine.sameness.renaming import AsCalled

T = TypeVar("T")

#: Numbers, texts and None: their text is the same in each history.
_SIMPLE: Final = (str, bytes, int, float, complex, type(None))
#: How Python shows an object without a text of its own, a function, and a mock.
_ADDRESS: Final = re.compile(r"<(?:[\w.<>]+\.)?(\w+|<lambda>)(?: object)? at 0x[0-9a-fA-F]+>")
_FUNCTION: Final = re.compile(r"<(?:bound method|function|built-in method) (\S+)[^>]* at 0x[^>]*>+")
_MOCK: Final = re.compile(r"<(\w+)(?: [^>]*)? id='\d+'>")
#: So deep are the fields of objects looked into.
_DEPTH: Final = 4
#: The names of parameters and headers that carry an idempotency key, at all services that we know.
_KEY: Final = re.compile(
    r"idempoten|dedup|client_?(request_?)?token|^unique(_key)?$", re.IGNORECASE
)


#: What is printed of a call whose argument `key=` was taken for its idempotency key.
ONCE_FOR_KEY: Final = "once for each key="
#: These take the key of a thing.
_ADDRESSED: Final = re.compile(
    r"_*(add|append|decr|incr|inc|pop|push|put|set|update|delete|remove|lock|sort)"
)
#: What is put here twice is there twice.
QUEUE: Final = re.compile(r"queue|stream|topic|channel|bus|broker|producer", re.IGNORECASE)


class _Shown:
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def text_of(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return a call as it would be written. The addresses of objects differ in each history, so none is shown."""

    def shown() -> str:
        named = {word: _without_address(value) for word, value in kwargs.items()}
        return call_of(name, tuple(map(_without_address, args)), named)

    return _unheard(shown)


def _unheard(show: Callable[[], T]) -> T:
    """Return what a function shows of objects. The check calls their `__repr__`, so its lines are no points."""
    current = watcher.get()
    return show() if current is None else current.tracer.unhooked(show)


def _without_address(value: Any) -> Any:
    if isinstance(value, _SIMPLE):
        return value
    text = repr(value)
    if " at 0x" not in text and " id='" not in text:
        return value
    for pattern in (_FUNCTION, _ADDRESS, _MOCK):
        text = pattern.sub(r"<\1>", text)
    return _Shown(text)


def comparable(value: Any, depth: int = _DEPTH) -> Any:
    """Return a value as it is now, in a form in which it can be compared with that of another history."""
    kind: Any = type(value)
    if kind in _SIMPLE:
        return value
    if kind is tuple:
        return tuple([comparable(inner, depth - 1) for inner in value])
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, Mapping):
        return {
            comparable(key, depth - 1): comparable(inner, depth - 1) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return tuple(comparable(inner, depth - 1) for inner in value)
    if isinstance(value, AbstractSet):
        return frozenset(comparable(inner, depth - 1) for inner in value)
    columns = loaded_columns(value)
    if columns is not None:
        return AsCalled(
            (kind.__name__, [(name, comparable(inner, depth - 1)) for name, inner in columns])
        )
    if depth > 0 and kind.__repr__ is object.__repr__ and not _is_installed(kind):
        fields = getattr(value, "__dict__", {})
        return (f"<{kind.__name__}>", comparable(fields, depth - 1))
    shown = _unheard(partial(_without_address, value))
    if isinstance(shown, _Shown):
        return repr(shown)
    # A proxy, such as `current_app` of Flask, has the class of what it leads to.
    kind = value.__class__
    is_value = kind.__eq__ is not object.__eq__ or hasattr(kind, "__len__")
    return value if is_value or not _is_installed(kind) else _data_of(value)


def _data_of(value: object) -> Any:
    """Return an object of a library by its text and its fields that are data, as those of a request are."""
    data = {name: inner for name, inner in public_fields(value) if _is_data(inner)}
    text = _unheard(partial(repr, value))
    return (text, comparable(data)) if data else text


def _is_data(value: object, depth: int = _DEPTH) -> bool:
    if isinstance(value, Mapping):
        value = (*value, *value.values())
    if isinstance(value, list | tuple | AbstractSet):
        return depth > 0 and all(_is_data(inner, depth - 1) for inner in value)
    return isinstance(value, _SIMPLE)


def _is_installed(kind: type) -> bool:
    """Return whether a class is of a library. From its objects one may come to everything that there is."""
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
        return kind is not SimpleNamespace
    return is_in_packages(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")


def item_key(args: Sequence[Any]) -> str:
    """Return what is the same for the same change of an item, from its key and its new value.

    Each delivery may draw another value, such as the id of a request in a header: it replaces the one before.
    """
    key, *value = map(comparable, args)
    current = watcher.get()
    return repr((key, *(value if current is None else map(current.form_of, value))))


def usual_key(arguments: Mapping[str, Any]) -> Any:
    """Return the idempotency key among arguments or in their headers, by its usual names; None for none."""
    for word, value in arguments.items():
        if value is not None and _KEY.search(word):
            return value
    for value in arguments.values():
        if isinstance(value, Mapping):
            for word, inner in value.items():
                if isinstance(word, str) and inner is not None and _KEY.search(word):
                    return inner
    return None


def likely_key(own: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the argument `key=`, where it says which call it is rather than what the call is about; None if not.

    What comes first names the thing that a call is about, and so does the key of a call that adds or takes
    something: `increment(key="hits")`. The key of a message says to which part of a topic the message goes.
    """
    owner, _, method = own.rpartition(".")
    is_first = not args and next(iter(kwargs), None) == "key"
    if is_first or _ADDRESSED.match(method) or QUEUE.search(owner) or "value" in kwargs:
        return None
    return kwargs.get("key")
