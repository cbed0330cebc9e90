"""A mock or a stub in the place of what enqueues a job: the job is enqueued all the same, within the history.

The double answers its caller. What it stands for is called beside it, where the bridge of its library records the
job, so that the job is performed as any other.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from ....bridges import __file__ as _bridges
from ....harness.open_harness import open_harnesses
from ...engine.acts import Act, SourceState, Watch, acting, skippable
from ...engine.sources import is_mock
from ..doubles.arguments import comparable, text_of
from .places import Placed

#: The methods of jobs that perform them here and now.
_RUN_HERE: Final = frozenset(("apply", "call", "call_local", "fn", "perform_now", "run"))
#: How the methods and functions of libraries are named that take a job as an argument.
_ENQUEUES: Final = re.compile(r"enqueue|send_task|async_task|add_job")
_BRIDGES: Final = str(Path(_bridges).parent)


def method_of(owner: Any, name: str, stub: Any = None) -> Any:
    """Return what a double in the place of a method stands for, as its class has it now; None if it has none.

    What the double has replaced may be older than the harness, which stands in for the methods of libraries.
    """
    # The class that it gives, since that of a proxy of Celery is not its type.
    kind = owner if isinstance(owner, type) else owner.__class__
    for base in kind.__mro__:
        found = vars(base).get(name)
        if found is not None and found is not stub and not is_mock(found):
            get = getattr(type(found), "__get__", None)
            itself = None if isinstance(owner, type) else owner
            return found if get is None else get(found, itself, kind)
    return None


def stood_for_in(placed: Placed) -> Any:
    """Return what a double in a place stands for, or what a bridge has put in the place of that since then."""
    original = placed.original
    module = inspect.getmodule(original) if isinstance(original, FunctionType) else None
    now = None if module is None else vars(module).get(original.__name__)
    found = now if _is_of_bridge(now) else original
    if not placed.is_item and not isinstance(placed.owner, ModuleType):
        found = method_of(placed.owner, placed.name, placed.value) or found
    if callable(found) or not hasattr(type(found), "__get__"):
        return found
    # Of a property, plain or cached, the function.
    return getattr(found, "fget", getattr(found, "func", found))


def _is_of_bridge(function: Any) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    # An AsyncMock says of its code that it is one.
    return type(code) is CodeType and code.co_filename.startswith(_BRIDGES)


def enqueues(function: Any, is_of_project: Callable[[Any], bool]) -> bool:
    """Return whether a function is one that enqueues a job, or makes the message that does.

    That is a method which a library gives its jobs, or what a bridge has put in the place of another function.
    """
    if _is_of_bridge(function):
        return True
    plain = getattr(function, "__func__", function)
    name, owner = str(getattr(function, "__name__", "__")), getattr(function, "__self__", None)
    if name in _RUN_HERE or name.startswith("__") or not callable(plain):
        return False
    if is_of_project(inspect.unwrap(plain)):
        return False
    harness = open_harnesses.innermost()
    if owner is not None and harness.targets.find(owner) is not None:
        return True
    library = str(getattr(plain, "__module__", "")).partition(".")[0]
    return _ENQUEUES.match(name) is not None and library in {one.name for one in harness.bridges}


def enqueued(
    current: Watch,
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Enqueue a job for a double, and return the answer of its library; a coroutine where it has to be awaited."""
    if name in _impossible(current.of_search):
        text = text_of(name, args, kwargs)
        act = Act("enqueue", text, value=comparable((name, *args, *sorted(kwargs.items()))))
        with skippable(), acting(act):
            pass
        return None
    try:
        return function(*args, **kwargs)
    except Exception:
        if not current.undisturbed:
            raise
        give_up(current.of_search, name)
        return None


def give_up(search: SourceState, name: str) -> None:
    """Learn that what a double stands for cannot be called: then its calls are effects by themselves."""
    search.learn(_impossible(search), name)


def _impossible(search: SourceState) -> set[str]:
    """Return the names of the doubles for which nothing can be enqueued in a search."""
    return search.of("impossible enqueues", set)
