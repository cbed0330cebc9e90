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
from functools import lru_cache, partial
from types import AsyncGeneratorType, CodeType, FunctionType
from typing import Any, Final, NamedTuple

from ....errors import ReusedKeyError
from ....harness.records.attributes import identity, without_partials
from ....harness.records.home import is_test_file
from ....harness.time.waiting import in_running_loop
from ...engine.acts import (
    KEYS_BY_TIME,
    RECORDS,
    Act,
    Watch,
    acting,
    note_look,
    skippable,
    watcher,
)
from ...engine.lines import call_traced, untraced
from ...engine.memory.places import CONSTANTS
from ...engine.sameness.renaming import Unordered
from ..wrapping import of_history, of_search
from .arguments import usual_key
from .call_kinds import CallKind, CallKinds, does_something, kinds_of
from .clients import Keys, is_client
from .judgement import Called, Running
from .memory import Kept, Memory, globals_of, kept_in
from .operators import SYMBOLS, is_collection, is_in_place, is_only_memory, setting

_NOTHING: Final = object()
_YIELDING: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


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
    #: What is sent by it, where that is not what it is called with; empty if it is.
    sent: tuple[Any, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is a call of a method, rather than an operator or the end of a block."""
        return not (self.sent or self.place.word.startswith("__"))

    @property
    def there(self) -> Place:
        """The place of what it returns."""
        path, through = self.place.path, self.place.through
        return Place(f"{path}()", (*through, *self.args, *sorted(self.kwargs.items())))

    def run(self) -> Any:
        return call_traced(self.function, *self.args, **self.kwargs)


class _Call(NamedTuple):
    """One call of a service."""

    asked: Asked
    called: Called
    kind: CallKind
    key: object
    #: Whether it is an effect whatever it changes: `reads=`, a key, its verb or what was sent says so.
    is_said: bool


class _Service(Running):
    """A call of a service in a delivery."""

    def __init__(self, receiver: Receiver, call: _Call, current: Watch) -> None:
        super().__init__(call.called, current, call.kind)
        self._is_said |= call.is_said
        self._is_compared = receiver.counts
        # A stand-in finds out itself whether it knows a key.
        self._knows_keys = receiver.answers_by_key and self._kind != "put"
        self._receiver, self._call = receiver, call

    def _note(self, act: Act, answer: object) -> None:
        if self._receiver.has_happened(self._call, answer, is_part=self._is_part):
            self._current.note(act)


class Receiver:
    """Lets calls of the methods of a service be effects, each in its place."""

    #: Whether the keys, and the answers to them, are those of a stand-in, which lasts as long as it does itself.
    answers_by_key = False

    def __init__(
        self,
        name: str,
        target: object,
        *,
        key: Keys = None,
        remembers: timedelta | None = None,
        reads: Collection[str] | None = None,
        counts: bool = True,
    ) -> None:
        self.name, self._target = name, target
        #: Whether the test has written it, or it stands in for something; None until a call asks.
        self._is_of_test: bool | None = None
        #: The part of its name that a test has named.
        self.own = name.rpartition(".")[2]
        self._key = key
        self._remembers = remembers
        self._guesses = reads is None
        self._reads = frozenset([reads] if isinstance(reads, str) else reads or ())
        self.counts = counts
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
        if type(value) in CONSTANTS:
            return value
        if returned:
            led = self._found_in(place, value)
            if led is not None:
                return led
        if is_client(value, returned=returned):
            return self.proxy_of(place, value)
        if not returned and self.counts and is_collection(value) and (kept := _kept()) is not None:
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
        call = self._prepared(asked)
        # The names of plain functions that return coroutines.
        awaited: set[str] = of_search(("awaited", self.name), set)
        if inspect.iscoroutinefunction(asked.function) or call.called.name in awaited:
            return self._awaiting(call)
        answer: Any = None
        # A look-up may wait for what another thread does.
        alone = nullcontext() if call.kind in ("read", "nothing") else self._one_at_a_time
        with skippable(), self._running(call) as running, alone:
            answer = self._known_answer(call)
            if answer is _NOTHING:
                answer = asked.run()
                if inspect.iscoroutine(answer):
                    if (current := watcher.get()) is not None:
                        current.of_search.learn(awaited, call.called.name)
                    return answer
                self._end(call, running, answer)
        return self.found(asked.there, answer, returned=True)

    async def _awaiting(self, call: _Call) -> Any:
        asked = call.asked
        answer: Any = None
        with skippable(), self._running(call) as running:
            answer = self._known_answer(call)
            if answer is _NOTHING:
                answer = await asked.function(*asked.args, **asked.kwargs)
                # Meanwhile another task may have made the call with the same key.
                if self._known_answer(call) is _NOTHING:
                    self._end(call, running, answer)
        return self.found(asked.there, answer, returned=True)

    def _running(self, call: _Call) -> AbstractContextManager[Running | None]:
        current = watcher.get()
        return nullcontext() if current is None else _Service(self, call, current)

    def _end(self, call: _Call, running: Running | None, answer: object) -> None:
        if running is not None:
            running.end(answer)
        elif call.kind in ("effect", "put"):
            self.has_happened(call, answer)

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
        if not self.counts:
            act = replace(act, counts=False, value=None)
        kept = _kept()
        with skippable(), acting(act.in_memory() if in_memory else act), kept or nullcontext():
            call_traced(change, owner, name, *value)

    # Blocks

    def entered(self, place: Place, target: Any, value: Any) -> None:
        """Note the collection that a block is given, if any. The call that opened the block is no effect."""
        current = watcher.get()
        if current is not None and current.undisturbed:
            name = f"{self.name}.{place.path}.__enter__"
            kinds_of(current.of_search).learn_of(name, current.of_search)
        if value is not target and is_collection(value):
            blocks = of_history(("blocks", self), dict[int, tuple[Any, Any, Memory]])
            blocks[identity(target)] = target, value, Memory((value,), bool)

    def leave(self, place: Place, target: Any, leave: Callable[..., Any], error: Any) -> Any:
        """End the block of a context manager: an effect if what it has got was filled.

        Where the block has failed by an error, nothing is sent.
        """
        blocks = of_history(("blocks", self), dict[int, tuple[Any, Any, Memory]])
        _, value, memory = blocks.pop(identity(target), (None, None, None))
        if error[0] is None and memory is not None and any(memory.changed()):
            place = Place(place.path.removesuffix("()"), place.through)
            return self.call(Asked(place, partial(leave, *error), (), {}, (value,)))
        return self.call(Asked(place.attribute(leave.__name__), leave, error, {}))

    # Effects

    def _prepared(self, asked: Asked) -> _Call:
        place, function, args, kwargs, sent = asked
        path = place.path or self.name
        name = f"{self.name}.{path}" if place.path else path
        own = f"{self.own}.{place.path}".strip(".")
        known: CallKind | None = None
        if self._is_read(place):
            known = "read"
        elif sent or not self._guesses:
            known = "effect"
        kinds = of_search(CallKinds, CallKinds)
        if sent:
            kind = kinds.said_of(name) or known or "effect"
        else:
            # With a `yield` in it, it runs when its items are asked for.
            code = getattr(function, "__code__", None)
            is_lazy = isinstance(code, CodeType) and bool(code.co_flags & _YIELDING)
            kind = kinds.of(name, own, args, kwargs, known=known, is_lazy=is_lazy)
        parameter = self._key
        if isinstance(parameter, Mapping):
            parameter = parameter.get(place.path, parameter.get(place.word))
        key = None if kind in ("read", "nothing") else self._key_of(asked, parameter)
        called = Called(
            self.name if place.path else "",
            path,
            own,
            sent or args,
            kwargs,
            {} if key is None else {"idempotency_key": key},
            self._roots(function),
            through=place.through,
            key_word="" if parameter is None or key is None else parameter,
        )
        # What stands in for a service may keep less than the service does.
        is_known_verb = kind == "effect" and does_something(called.method)
        is_said = known is not None or key is not None or is_known_verb
        if f"{called.owner or path} {path}" in of_search(KEYS_BY_TIME, set[str]):
            key = None
        return _Call(asked, called, kind, key, is_said)

    def _roots(self, function: Any) -> tuple[Any, ...]:
        """Return from what one comes to what a call may change, of what the test keeps.

        What works in a test may keep anything, such as a connection that it opens at the first call.
        """
        if self._is_of_test is None:
            module = getattr(without_partials(self._target), "__module__", None) or ""
            file = getattr(sys.modules.get(module), "__file__", None) or ""
            self._is_of_test = self.answers_by_key or is_test_file(file)
        if not self._is_of_test:
            return ()
        owner = getattr(function, "__self__", None)
        plain = getattr(function, "__func__", function)
        named = (
            globals_of(plain.__code__, plain.__globals__) if isinstance(plain, FunctionType) else ()
        )
        return owner, type(owner), function, self._target, *named

    def _is_read(self, place: Place) -> bool:
        return place.path in self._reads or place.word in self._reads

    # Keys

    def _key_of(self, asked: Asked, parameter: str | None) -> Any:
        _, function, args, kwargs, sent = asked
        if sent:
            return usual_key({"sent": sent[0]})
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
        if not _is_same(before, call.called.compared):
            raise ReusedKeyError(
                f"{self.name} knows the key {call.key!r} from {text}, and now {call.called.text} has it: "
                "a service refuses one key for two different calls. Give each call a key of its own."
            )
        if not self.answers_by_key:
            return _NOTHING
        return answer if is_client(answer, returned=True) else copy.deepcopy(answer)

    def has_happened(self, call: _Call, answer: object, *, is_part: bool = False) -> bool:
        """Note a call that took effect, and return whether it is to be counted."""
        if call.key is not None:
            known = time.time(), call.called.compared, call.called.text, answer
            self._memory()[call.key] = known
        if not (self.answers_by_key and call.asked.is_plain):
            return self.counts and not is_part
        made = call.called.made
        is_new = call.kind != "put" or not any(_is_same(known, made) for known in self._calls)
        if self.counts and is_new:
            self._calls.append(made)
            of_history(RECORDS, dict[int, tuple[str, object]])[identity(made)] = self.name, made
            self._note_order()
        return self.counts and is_new

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


def _kept() -> Kept | None:
    current = watcher.get()
    return None if current is None else kept_in(current.of_history)


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
    special = {
        name: _SPECIAL.get(name) or _leading(name)
        for name in dir(kind)
        if name[:2] == name[-2:] == "__"
        and name not in _OF_ITSELF
        and callable(getattr(kind, name, None))
    }
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


def _doing(name: str) -> Callable[..., Any]:
    @untraced
    def do(self: Proxy, *args: Any) -> Any:
        place, target = self._pytest_jobs_place.attribute(name), self._pytest_jobs_target
        asked = Asked(place, _special(target, name), tuple(_targets(args)), {})
        answer = self._pytest_jobs_receiver.call(asked)
        is_skipped = answer is None and is_in_place(name)
        return self if is_skipped or next(_targets((answer,))) is target else answer

    return do


def _leading(name: str) -> Callable[..., Any]:
    """Return a special method that makes, shows, compares or opens something, which may be a client of its own."""
    enters, is_awaited = name in ("__aenter__", "__enter__"), name in ("__aenter__", "__anext__")

    def lead(self: Proxy, *args: Any) -> Any:
        note_look(changes=True)
        found = _special(self._pytest_jobs_target, name)(*_targets(args))
        return later(self, found) if is_awaited else led(self, found)

    def led(self: Proxy, found: Any) -> Any:
        receiver, target = self._pytest_jobs_receiver, self._pytest_jobs_target
        if enters:
            receiver.entered(self._pytest_jobs_place, target, found)
        if found is target:
            return self
        return receiver.found(self._pytest_jobs_place, found, returned=True)

    async def later(self: Proxy, found: Any) -> Any:
        return led(self, await found)

    return lead


def _leaving(name: str) -> Callable[..., Any]:
    def leave(self: Proxy, *error: Any) -> Any:
        target = self._pytest_jobs_target
        return self._pytest_jobs_receiver.leave(
            self._pytest_jobs_place, target, _special(target, name), error
        )

    return leave


def _await(self: Proxy) -> Any:
    found = yield from self._pytest_jobs_target.__await__()
    return self._pytest_jobs_receiver.found(self._pytest_jobs_place, found, returned=True)


@untraced
def _call(self: Proxy, /, *args: Any, **kwargs: Any) -> Any:
    asked = Asked(self._pytest_jobs_place, self._pytest_jobs_target, args, kwargs)
    return self._pytest_jobs_receiver.call(asked)


#: What Python asks of an object, and not of what it stands for.
_OF_ITSELF: Final = frozenset(
    (
        *("__class__", "__class_getitem__", "__copy__", "__deepcopy__", "__del__", "__delattr__"),
        *("__delete__", "__get__", "__getattr__", "__getattribute__", "__getnewargs__"),
        *("__getnewargs_ex__", "__getstate__", "__init__", "__init_subclass__", "__mro_entries__"),
        *("__new__", "__prepare__", "__reduce__", "__reduce_ex__", "__set__", "__set_name__"),
        *("__setattr__", "__setstate__", "__sizeof__", "__subclasshook__"),
    )
)
#: The special methods of proxies, but for those that lead to something.
_SPECIAL: Final[Mapping[str, Any]] = {
    **{name: _doing(name) for name in ("__delitem__", "__setitem__", *SYMBOLS)},
    **{name: _leaving(name) for name in ("__aexit__", "__exit__")},
    "__await__": _await,
    "__call__": _call,
}
