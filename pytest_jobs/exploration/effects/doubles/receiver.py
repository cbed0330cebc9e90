"""What the application finds in the place of a service: which of its calls are effects, and what it remembers."""

from __future__ import annotations

import copy
import inspect
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from types import AsyncGeneratorType, CodeType
from typing import Any, Final, NamedTuple

from ....errors import ReusedKeyError
from ....harness.time.waiting import in_running_loop
from ...engine.acts import (
    Act,
    acting,
    looking,
    note_effect,
    note_look,
    sends_key_by_time,
    skippable,
    watcher,
)
from ...engine.lines import call_traced, untraced
from ...engine.sameness.renaming import Unordered
from ..wrapping import of_history, of_search
from .arguments import comparable, item_key, text_of, usual_key
from .clients import Keys, is_client
from .kinds import CallKind, CallKinds
from .memory import Kept, Memory, kept_in
from .operators import (
    COMPUTING,
    SYMBOLS,
    is_collection,
    is_only_memory,
    is_repeatable,
    operating,
    setting,
)

_NOTHING: Final = object()
_YIELDING: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
#: What most calls return.
_PLAIN_DATA: Final = (type(None), bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a service something is, such as `messages` or `bucket().put`."""

    path: str = ""
    #: The arguments of the calls on the way there.
    through: tuple[Any, ...] = ()

    @property
    def word(self) -> str:
        return self.path.rpartition(".")[2]

    def attribute(self, name: str) -> Place:
        return Place(f"{self.path}.{name}" if self.path else name, self.through)

    def made(self) -> Place:
        """Return the place of an object of the class that is here."""
        return Place(f"{self.path}()" if self.path else "", self.through)


class Asked(NamedTuple):
    """A call as the application makes it."""

    place: Place
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def there(self) -> Place:
        """The place of what it returns."""
        path, through = self.place.path, self.place.through
        return Place(f"{path}()", (*through, *self.args, *sorted(self.kwargs.items())))

    def run(self) -> Any:
        return call_traced(self.function, *self.args, **self.kwargs)


class _Call(NamedTuple):
    """One call that may be an effect."""

    asked: Asked
    act: Act
    #: As `calls` of a fake has it: its name and its arguments, the key left out.
    made: tuple[Any, ...]
    key: object
    #: Whether it has no further effect when it is repeated.
    is_put: bool


class Receiver:
    """Lets calls of the methods of a service be effects, each in its place."""

    #: Whether the keys, and the answers to them, are those of a stand-in, which lasts as long as it does itself.
    answers_by_key = False

    def __init__(
        self,
        name: str,
        *,
        key: Keys = None,
        remembers: timedelta | None = None,
        reads: Collection[str] | None = None,
        counts: bool = True,
    ) -> None:
        self.name = name
        #: The part of its name that a test has named.
        self.own = name.rpartition(".")[2]
        self._key = key
        self._remembers = remembers
        self._guesses = reads is None
        self._reads = frozenset([reads] if isinstance(reads, str) else reads or ())
        self._counts = counts
        # Threads of a job may call at the same time. Like a service, one of them finds the key known.
        self._one_at_a_time = threading.RLock()
        self._answers: dict[object, tuple[float, object, str, object]] = {}
        self._calls: list[tuple[Any, ...]] = []
        #: The delivery, thread and task of the last of them.
        self._made_by: tuple[int, int, Any] | None = None
        self._are_unordered = False

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        """Each call that took effect: its name, and its arguments, the key left out.

        If several tasks or threads of one delivery make them, nobody promises an order.
        """
        return Unordered(self._calls) if self._are_unordered else self._calls

    # What is here

    def found(self, place: Place, value: Any, *, returned: bool = False) -> Any:
        """Return what the application gets in a place: data as it is, and a client by a proxy."""
        if type(value) in _PLAIN_DATA:
            return value
        if returned:
            led = self._found_in(place, value)
            if led is not None:
                return led
        if is_client(value, returned=returned):
            return self.proxy_of(place, value)
        if not returned and self._counts and is_collection(value) and (kept := _kept()) is not None:
            kept.give(Memory((value,), bool), self.name, place.path, place.through)
        return value

    def _found_in(self, place: Place, value: Any) -> Any:
        """Return a collection or an iterator with proxies in it; None if a value has no clients in it."""
        kind = type(value)
        if kind in (list, tuple) and any(is_client(item, returned=True) for item in value):
            return kind(self.found(place, item, returned=True) for item in value)
        if kind is dict and any(is_client(item, returned=True) for item in value.values()):
            return {key: self.found(place, item, returned=True) for key, item in value.items()}
        if kind.__module__ == "builtins" and isinstance(value, Iterator):
            return (self.found(place, item, returned=True) for item in value)
        if isinstance(value, AsyncGeneratorType):
            return (self.found(place, item, returned=True) async for item in value)
        return None

    def proxy_of(self, place: Place, value: Any) -> Any:
        """Return what leads the calls of a client here."""
        if isinstance(value, Proxy):
            return value
        return _proxy_class(type(value))(self, place, value)  # type: ignore[arg-type]

    # Calls

    def call(self, asked: Asked) -> Any:
        """Call a function of the service. A coroutine function is called when it is awaited."""
        if isinstance(asked.function, type):
            # Making an object is no effect.
            return self.found(asked.place.made(), asked.run())
        if not asked.place.path:
            asked = asked._replace(place=Place(self.name))
        place = asked.place
        kind = self._kind_of(asked)
        if kind in ("read", "nothing"):
            return self._looked_up(asked)
        call = self._prepared(asked, is_put=kind == "put")
        # The paths of plain functions that return coroutines.
        awaited: set[str] = of_search(("awaited", self.name), set)
        if inspect.iscoroutinefunction(asked.function) or place.path in awaited:
            return self._awaiting(call)
        self._learn_of(place)
        answer: Any = None
        with skippable(), acting(call.act), _running(), self._one_at_a_time:
            answer = self._known_answer(call)
            if answer is _NOTHING:
                answer = asked.run()
                if inspect.iscoroutine(answer):
                    if (current := watcher.get()) is not None:
                        current.of_search.learn(awaited, place.path)
                    return answer
                self._has_happened(call, answer)
        return self.found(asked.there, answer, returned=True)

    async def _awaiting(self, call: _Call) -> Any:
        asked = call.asked
        self._learn_of(asked.place)
        answer: Any = None
        with skippable(), acting(call.act), _running():
            answer = self._known_answer(call)
            if answer is _NOTHING:
                answer = await asked.function(*asked.args, **asked.kwargs)
                # Meanwhile another task may have made the call with the same key.
                if self._known_answer(call) is _NOTHING:
                    self._has_happened(call, answer)
        return self.found(asked.there, answer, returned=True)

    def _looked_up(self, asked: Asked) -> Any:
        answer: Any = None
        with skippable(), looking(), _running():
            answer = asked.run()
        if not inspect.iscoroutine(answer):
            return self.found(asked.there, answer, returned=True)

        async def awaiting() -> Any:
            looked_up: Any = None
            with skippable(), looking(), _running():
                looked_up = await answer
            return self.found(asked.there, looked_up, returned=True)

        return awaiting()

    def changed(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Change what the service has for a key."""
        text, value = text_of(place.path, args, {}), comparable((place.path, *place.through, *args))
        key = place.path, item_key(args)
        self._do(Act(self.name, text, value=value, key=key), function, *args)

    def operated(self, place: Place, target: Any, operator: str, args: tuple[Any, ...]) -> Any:
        """Do an operator that changes a client, such as `queue += [order]`."""
        act = operating(
            self.name,
            SYMBOLS[operator],
            args,
            path=place.path,
            through=place.through,
            is_put=is_repeatable(operator, target),
        )
        answer = self._do(act, getattr(target, operator), *args, skipped=target)
        return answer if answer is target else self.found(place, answer, returned=True)

    def assigned(self, place: Place, owner: Any, name: str, *value: object) -> None:
        """Set an attribute of a client; without a value it is deleted."""
        place = place.attribute(name)
        change: Callable[..., object] = setattr if value else delattr
        in_memory = is_only_memory(owner, name)
        current = watcher.get()
        is_dead = current is not None and current.dead
        if self._is_read(place) or (in_memory and is_dead):
            # The clean-up of a dead delivery may put back what lies in its memory.
            note_look(changes=True)
            change(owner, name, *value)
            return
        act = setting(self.name, place.path, value, place.through)
        self._do(act.in_memory() if in_memory else act, change, owner, name, *value)

    def _do(
        self, act: Act, function: Callable[..., Any], *args: Any, skipped: object = None
    ) -> Any:
        with skippable(), acting(self._counted(act)), _running():
            return call_traced(function, *args)
        return skipped

    # Blocks

    def entering(self, place: Place) -> None:
        """Learn that a call returns a context manager, which its `with` block is about to enter."""
        self._learn_of(Place(f"{place.path}.__enter__"))

    def note_block(self, target: Any, value: Any) -> None:
        """Note the collection that a block gets when it is entered, if it gets one."""
        if value is not target and is_collection(value):
            self._blocks()[id(target)] = target, value, comparable(value)

    def leaving(self, place: Place, target: Any, *, failed: bool) -> AbstractContextManager[None]:
        """Return the block in which a context manager ends its block: an effect if its collection was filled.

        Where the block has failed by an error, nothing is sent.
        """
        note_look(changes=True)
        _, value, before = self._blocks().pop(id(target), (None, None, None))
        now = comparable(value)
        if failed or now == before:
            return nullcontext()
        name, sent = place.path.removesuffix("()"), (*place.through, now)
        text, made, key = (
            text_of(name, sent, {}),
            comparable((name, *sent)),
            usual_key({"sent": value}),
        )
        return acting(self._counted(Act(self.name, text, value=made, key=key)))

    def _blocks(self) -> dict[int, tuple[Any, Any, Any]]:
        return of_history(("blocks", self), dict)

    # Effects

    def _counted(self, act: Act) -> Act:
        return act if self._counts else replace(act, counts=False, value=None)

    def _kind_of(self, asked: Asked) -> CallKind:
        known: CallKind | None = None
        if self._is_read(asked.place):
            known = "read"
        elif not self._guesses:
            known = "effect"
        # With a `yield` in it, it runs when its items are asked for.
        code = getattr(asked.function, "__code__", None)
        return self._kinds().of(
            self._named(asked.place),
            f"{self.own}.{asked.place.path}".lstrip("."),
            asked.args,
            asked.kwargs,
            known=known,
            is_lazy=isinstance(code, CodeType) and bool(code.co_flags & _YIELDING),
        )

    def _is_read(self, place: Place) -> bool:
        return place.path in self._reads or place.word in self._reads

    def _named(self, place: Place) -> str:
        """Return the name of a place, with that of the service before it."""
        return place.path if place.path == self.name else f"{self.name}.{place.path}".lstrip(".")

    def _kinds(self) -> CallKinds:
        return of_search(CallKinds, CallKinds)

    def _prepared(self, asked: Asked, *, is_put: bool) -> _Call:
        place, _, args, kwargs = asked
        parameter = self._key
        if isinstance(parameter, Mapping):
            parameter = parameter.get(place.path, parameter.get(place.word))
        key = self._key_of(asked, parameter)
        others = {word: value for word, value in kwargs.items() if word != parameter or key is None}
        made = (place.path, *place.through, *args, *sorted(others.items()))
        compared = comparable(made)
        counts = self._counts
        known: object = key
        if key is None or self.answers_by_key:
            known = repr(compared) if is_put else None
        act = Act(
            self.name,
            text_of(place.path, args, kwargs),
            # Only the stand-in knows whether the call takes effect.
            counts=counts and not self.answers_by_key,
            value=compared if counts else None,
            key=None if known is None else (place.path, known),
            sent_key=key,
        )
        current = watcher.get()
        if current is not None and sends_key_by_time(act, current.of_search):
            key = None
        return _Call(asked, act, made, key, is_put)

    # Keys

    def _key_of(self, asked: Asked, parameter: str | None) -> Any:
        _, function, args, kwargs = asked
        if parameter is not None and kwargs.get(parameter) is not None:
            return kwargs[parameter]
        arguments: Mapping[str, Any] = kwargs
        if args:
            try:
                bound = inspect.signature(function).bind(*args, **kwargs)
                arguments = {**kwargs, **bound.arguments}
            except (TypeError, ValueError):
                # A function in C has no signature; a wrong call fails by itself.
                arguments = kwargs
        if parameter is not None:
            return arguments.get(parameter)
        return usual_key(arguments) if self._key is None else None

    def _known_answer(self, call: _Call) -> object:
        """Return the answer to a call with a key that is known; `_NOTHING` if it has to be made.

        Raises:
            ReusedKeyError: when the key belongs to another call.
        """
        known = None if call.key is None else self._memory().get(call.key)
        if known is None:
            return _NOTHING
        since, before, text, answer = known
        if self._remembers is not None and time.time() - since >= self._remembers.total_seconds():
            return _NOTHING
        if not _is_same(before, comparable(call.made)):
            raise ReusedKeyError(
                f"{self.name} knows the key {call.key!r} from {text}, and now {call.act.text} has it: a service "
                "refuses one key for two different calls. Give each call a key of its own."
            )
        if not self.answers_by_key:
            return _NOTHING
        return answer if is_client(answer, returned=True) else copy.deepcopy(answer)

    def _has_happened(self, call: _Call, answer: object) -> None:
        if call.key is not None:
            known = time.time(), comparable(call.made), call.act.text, answer
            self._memory()[call.key] = known
        if self._counts and self.answers_by_key:
            if call.is_put and any(_is_same(known, call.made) for known in self._calls):
                return
            self._calls.append(call.made)
            self._note_order()
            note_effect(call.act)

    def _note_order(self) -> None:
        """Find out whether several tasks or threads make the calls; the clean run teaches it."""
        current = watcher.get()
        if current is None:
            return
        unordered: set[str] = current.of_search.of("unordered calls", set)
        # Without importing asyncio to find out.
        task = sys.modules["asyncio"].current_task() if in_running_loop() else None
        before, self._made_by = self._made_by, (id(current), threading.get_ident(), task)
        is_one_delivery = before is not None and before[0] == id(current)
        if current.undisturbed and is_one_delivery and before != self._made_by:
            current.of_search.learn(unordered, self.name)
        self._are_unordered = self.name in unordered

    def _memory(self) -> dict[object, tuple[float, object, str, object]]:
        if self.answers_by_key or watcher.get() is None:
            return self._answers
        return of_history(("keys", self.name), dict)

    def _learn_of(self, place: Place) -> None:
        """Learn that the calls on the way to an effect are none themselves.

        Only a delivery that nothing interrupts teaches it: all others are compared with that one.
        """
        current = watcher.get()
        if current is not None and current.undisturbed:
            self._kinds().learn_of(self._named(place), current.of_search)


def _kept() -> Kept | None:
    current = watcher.get()
    return None if current is None else kept_in(current.of_history)


def _running() -> AbstractContextManager[object]:
    """Return a block in which the service itself changes its collections."""
    return _kept() or nullcontext()


def _is_same(one: object, other: object) -> bool:
    """Return whether two calls are the same, but for what is random or a time in their arguments."""
    if repr(one) == repr(other):
        return True
    current = watcher.get()
    return current is not None and current.form_of(one) == current.form_of(other)


class Proxy:
    """Stands in the place of a client, and passes its calls on to a receiver."""

    __slots__ = ("_pytest_jobs_place", "_pytest_jobs_receiver", "_pytest_jobs_target")
    _pytest_jobs_receiver: Receiver
    _pytest_jobs_place: Place
    _pytest_jobs_target: Any

    def __init__(self, receiver: Receiver, place: Place, target: object) -> None:
        # Attributes that the application sets go to the target.
        object.__setattr__(self, "_pytest_jobs_receiver", receiver)
        object.__setattr__(self, "_pytest_jobs_place", place)
        object.__setattr__(self, "_pytest_jobs_target", target)

    @untraced
    def __getattr__(self, name: str) -> Any:
        found = call_traced(getattr, self._pytest_jobs_target, name)
        if name.startswith("_"):
            note_look()
            return found
        place = self._pytest_jobs_place.attribute(name)
        given = self._pytest_jobs_receiver.found(place, found)
        if given is found:
            # Data, which an effect of another delivery may change.
            note_look()
        return given

    @untraced
    def __setattr__(self, name: str, value: object) -> None:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        self._pytest_jobs_receiver.assigned(place, target, name, value)

    @untraced
    def __delattr__(self, name: str) -> None:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        self._pytest_jobs_receiver.assigned(place, target, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        target = self._pytest_jobs_target
        # A class or a function is copied by its name.
        return getattr(target, "__qualname__", None) or target.__reduce_ex__(protocol)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._pytest_jobs_target,)


# Python looks for special methods in the class of an object only.


@lru_cache(maxsize=512)
def _proxy_class(kind: type) -> type[Proxy]:
    """Return a class of proxies that have the same special methods as the objects of a class."""
    special = {name: made for name, made in _SPECIAL.items() if hasattr(kind, name)}
    # What defines its own equality and no hash has None there.
    if getattr(kind, "__hash__", None) is None:
        special["__hash__"] = None
    members = {"__slots__": (), "__class__": property(lambda self: kind), **special}
    return type(f"ProxyOf{kind.__name__}", (Proxy,), members)


def _special(target: Any, name: str) -> Any:
    """Return a special method as Python looks it up: that of a class is one of its metaclass."""
    is_class = isinstance(target, type)
    return getattr(type(target), name).__get__(target) if is_class else getattr(target, name)


def _targets(args: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the arguments of an operator, clients in the place of their proxies."""
    return (arg._pytest_jobs_target if isinstance(arg, Proxy) else arg for arg in args)


def _passed_on(name: str) -> Callable[..., Any]:
    def pass_on(self: Proxy, *args: Any) -> Any:
        note_look(changes=True)
        return _special(self._pytest_jobs_target, name)(*_targets(args))

    return pass_on


def _changing(name: str) -> Callable[..., Any]:
    @untraced
    def change(self: Proxy, *args: Any) -> None:
        place = self._pytest_jobs_place.attribute(name)
        self._pytest_jobs_receiver.changed(place, _special(self._pytest_jobs_target, name), args)

    return change


def _operating(name: str) -> Callable[..., Any]:
    @untraced
    def operate(self: Proxy, *args: Any) -> Any:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        answer = self._pytest_jobs_receiver.operated(place, target, name, tuple(_targets(args)))
        return self if answer is target else answer

    return operate


def _leading(name: str) -> Callable[..., Any]:
    def lead(self: Proxy, *args: Any) -> Any:
        note_look()
        return _led(self, _special(self._pytest_jobs_target, name)(*_targets(args)))

    return lead


def _led(proxy: Proxy, found: Any) -> Any:
    if found is proxy._pytest_jobs_target:
        return proxy
    return proxy._pytest_jobs_receiver.found(proxy._pytest_jobs_place, found, returned=True)


async def _next(self: Proxy) -> Any:
    return _led(self, await self._pytest_jobs_target.__anext__())


def _enter(self: Proxy) -> Any:
    receiver, target = self._pytest_jobs_receiver, self._pytest_jobs_target
    receiver.entering(self._pytest_jobs_place)
    note_look()
    found = target.__enter__()
    receiver.note_block(target, found)
    return _led(self, found)


async def _enter_awaited(self: Proxy) -> Any:
    receiver, target = self._pytest_jobs_receiver, self._pytest_jobs_target
    receiver.entering(self._pytest_jobs_place)
    found = await target.__aenter__()
    receiver.note_block(target, found)
    return _led(self, found)


def _exit(self: Proxy, *error: Any) -> Any:
    receiver, target = self._pytest_jobs_receiver, self._pytest_jobs_target
    with (
        skippable(),
        receiver.leaving(self._pytest_jobs_place, target, failed=error[0] is not None),
    ):
        return target.__exit__(*error)
    return None


async def _exit_awaited(self: Proxy, *error: Any) -> Any:
    receiver, target = self._pytest_jobs_receiver, self._pytest_jobs_target
    with (
        skippable(),
        receiver.leaving(self._pytest_jobs_place, target, failed=error[0] is not None),
    ):
        return await target.__aexit__(*error)
    return None


def _await(self: Proxy) -> Any:
    found = yield from self._pytest_jobs_target.__await__()
    return self._pytest_jobs_receiver.found(self._pytest_jobs_place, found, returned=True)


@untraced
def _call(self: Proxy, /, *args: Any, **kwargs: Any) -> Any:
    asked = Asked(self._pytest_jobs_place, self._pytest_jobs_target, args, kwargs)
    return self._pytest_jobs_receiver.call(asked)


#: These reach the object itself.
_PASSED_ON: Final = (
    *("__bool__", "__contains__", "__dir__", "__eq__", "__float__", "__format__", "__ge__"),
    *("__gt__", "__hash__", "__int__", "__index__", "__instancecheck__", "__le__", "__len__"),
    *("__lt__", "__ne__", "__repr__", "__reversed__", "__str__", "__subclasscheck__"),
)
#: The special methods of proxies. What a leading one returns may be a client of its own.
_SPECIAL: Final[Mapping[str, Any]] = {
    **{name: _passed_on(name) for name in _PASSED_ON},
    **{name: _changing(name) for name in ("__delitem__", "__setitem__")},
    **{name: _operating(name) for name in SYMBOLS},
    **{name: _leading(name) for name in (*COMPUTING, "__aiter__", "__getitem__", "__iter__")},
    "__next__": _leading("__next__"),
    "__anext__": _next,
    "__enter__": _enter,
    "__aenter__": _enter_awaited,
    "__exit__": _exit,
    "__aexit__": _exit_awaited,
    "__await__": _await,
    "__call__": _call,
}
