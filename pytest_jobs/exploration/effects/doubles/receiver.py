"""The receiving end of a service: which of its calls are effects, and what it remembers of them."""

from __future__ import annotations

import copy
import inspect
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from types import AsyncGeneratorType, CodeType
from typing import Any, Final, NamedTuple

from ....errors import ReusedKeyError
from ...engine.acts import (
    Act,
    SourceState,
    acting,
    later_acts,
    looking,
    note_effect,
    note_look,
    skippable,
    watcher,
)
from ...engine.lines import call_traced
from ...engine.sameness.renaming import Unordered
from .arguments import comparable, item_key, text_of, usual_key
from .clients import Keys, is_client
from .kinds import CallKind, CallKinds, kinds_of
from .operators import (
    SYMBOLS,
    Containers,
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

    def returned(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Place:
        """Return the place of what a call returned."""
        return Place(f"{self.path}()", (*self.through, *args, *sorted(kwargs.items())))


class Asked(NamedTuple):
    """A call as the application makes it."""

    place: Place
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def there(self) -> Place:
        """The place of what it returns."""
        return self.place.returned(self.args, self.kwargs)

    def run(self) -> Any:
        return call_traced(self.function, *self.args, **self.kwargs)


@dataclass(frozen=True, slots=True)
class Call:
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
    #: Whether it stands for something of the project itself.
    is_of_project = False

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
        """Return what the application gets in a place: data as it is, and a client by a proxy.

        A proxy that `proxy_of` of a subclass makes leads its calls back here.
        """
        if type(value) in _PLAIN_DATA:
            return value
        if returned:
            led = self._found_in(place, value)
            if led is not None:
                return led
        if is_client(value, returned=returned):
            return self.proxy_of(place, value)
        if not returned and self._counts:
            self._containers.note(place.path, place.through, value)
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
        raise NotImplementedError

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
        if inspect.iscoroutinefunction(asked.function) or place.path in self._awaited():
            return self._awaiting(call)
        self._learn_of(place)
        answer: Any = None
        with skippable(), acting(call.act), self._containers.changed(), self._one_at_a_time:
            answer = self._known_answer(call)
            if answer is _NOTHING:
                with self._running(place):
                    answer = asked.run()
                if inspect.iscoroutine(answer):
                    if (current := watcher.get()) is not None:
                        current.of_search.learn(self._awaited(), place.path)
                    return answer
                self._has_happened(call, answer)
        return self.found(asked.there, answer, returned=True)

    def changed(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Change what the service has for a key."""
        value = comparable((place.path, *place.through, *args))
        act = Act(
            self.name,
            text_of(place.path, args, {}),
            value=value if self._counts else None,
            counts=self._counts,
            key=(place.path, item_key(args)),
        )
        with skippable(), acting(act), self._containers.changed():
            call_traced(function, *args)

    def note_block(self, target: Any, value: Any) -> None:
        """Note the collection that a block gets when it is entered, if it gets one."""
        if is_collection(value):
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
        name = place.path.removesuffix("()")
        made = comparable((name, *place.through, now))
        act = Act(
            self.name,
            text_of(name, (*place.through, now), {}),
            counts=self._counts,
            value=made if self._counts else None,
            key=usual_key({"sent": value}),
        )
        return acting(act)

    def _blocks(self) -> dict[int, tuple[Any, Any, Any]]:
        current = watcher.get()
        if current is None:
            return {}
        return current.of_history.of(("blocks", self), dict)

    def operated(self, place: Place, target: Any, operator: str, args: tuple[Any, ...]) -> Any:
        """Do an operator that changes a client, such as `queue += [order]`."""
        act = operating(
            self.name,
            SYMBOLS[operator],
            args,
            path=place.path,
            through=place.through,
            counts=self._counts,
            is_put=is_repeatable(operator, target),
        )
        answer: Any = target
        with skippable(), acting(act), self._containers.changed():
            answer = call_traced(getattr(target, operator), *args)
        return answer if answer is target else self.found(place, answer, returned=True)

    def assigned(self, place: Place, owner: Any, name: str, value: object) -> None:
        """Set an attribute of a client."""
        self._set(place.attribute(name), (value,), setattr, (owner, name, value))

    def deleted(self, place: Place, owner: Any, name: str) -> None:
        """Delete an attribute of a client."""
        self._set(place.attribute(name), (), delattr, (owner, name))

    def _set(
        self,
        place: Place,
        value: tuple[Any, ...],
        change: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        act = setting(self.name, place.path, value, through=place.through, counts=self._counts)
        in_memory = is_only_memory(args[0], place.word)
        current = watcher.get()
        is_dead = current is not None and current.dead
        if place.path in self._reads or place.word in self._reads or (in_memory and is_dead):
            # The clean-up of a dead delivery may put back what lies in its memory.
            note_look(changes=True)
            change(*args)
            return
        with skippable(), acting(act.in_memory() if in_memory else act), self._containers.changed():
            call_traced(change, *args)

    async def _awaiting(self, call: Call) -> Any:
        asked = call.asked
        self._learn_of(asked.place)
        answer: Any = None
        with skippable(), acting(call.act), self._containers.changed():
            answer = self._known_answer(call)
            if answer is _NOTHING:
                with self._running(asked.place):
                    answer = await asked.function(*asked.args, **asked.kwargs)
                # Meanwhile another task may have made the call with the same key.
                known = self._known_answer(call)
                if known is _NOTHING:
                    self._has_happened(call, answer)
        return self.found(asked.there, answer, returned=True)

    def _looked_up(self, asked: Asked) -> Any:
        there = asked.there
        answer: Any = None
        with skippable(), looking(), self._containers.changed():
            answer = asked.run()
        if not inspect.iscoroutine(answer):
            return self.found(there, answer, returned=True)

        async def awaiting() -> Any:
            looked_up: Any = None
            with skippable(), looking(), self._containers.changed():
                looked_up = await answer
            return self.found(there, looked_up, returned=True)

        return awaiting()

    def _kind_of(self, asked: Asked) -> CallKind:
        place = asked.place
        known: CallKind | None = None
        if place.path in self._reads or place.word in self._reads:
            known = "read"
        elif not self._guesses:
            known = "effect"
        own = f"{self.own}.{place.path}".lstrip(".")
        # With a `yield` in it, it runs when its items are asked for.
        code = getattr(asked.function, "__code__", None)
        return self._kinds().of(
            self._named(place),
            own,
            asked.args,
            asked.kwargs,
            known=known,
            is_lazy=isinstance(code, CodeType) and bool(code.co_flags & _YIELDING),
        )

    def _named(self, place: Place) -> str:
        """Return the name of a place, with that of the service before it."""
        return place.path if place.path == self.name else f"{self.name}.{place.path}".lstrip(".")

    def _is_counted(self, place: Place) -> bool:
        """Return whether a call is compared by itself."""
        return self._counts

    def _running(self, place: Place) -> AbstractContextManager[None]:
        """Return the block in which a function of the service runs as a part of an effect."""
        return nullcontext()

    def _kinds(self) -> CallKinds:
        current = watcher.get()
        return CallKinds() if current is None else kinds_of(current.of_search)

    def _prepared(self, asked: Asked, *, is_put: bool) -> Call:
        place, _, args, kwargs = asked
        parameter = self._key
        if isinstance(parameter, Mapping):
            parameter = parameter.get(place.path, parameter.get(place.word))
        key = self._key_of(asked, parameter)
        others = {word: value for word, value in kwargs.items() if word != parameter or key is None}
        made = (place.path, *place.through, *args, *sorted(others.items()))
        compared = comparable(made)
        counts = self._is_counted(place)
        by_itself = counts and not self.answers_by_key
        known: object = key
        if key is None or self.answers_by_key:
            known = repr(compared) if is_put else None
        act = Act(
            self.name,
            text_of(place.path, args, kwargs),
            # Only the stand-in knows whether the call takes effect.
            counts=by_itself,
            value=compared if counts else None,
            key=None if known is None else (place.path, known),
            sent_key=key,
            stands_for=self._named(place) if self.is_of_project else "",
        )
        return Call(asked, act, made, key, is_put)

    # Keys

    def _key_of(self, asked: Asked, parameter: str | None) -> Any:
        _, function, args, kwargs = asked
        if parameter is not None and kwargs.get(parameter) is not None:
            return kwargs[parameter]
        arguments: Mapping[str, Any] = kwargs
        if args:
            try:
                arguments = {
                    **kwargs,
                    **inspect.signature(function).bind(*args, **kwargs).arguments,
                }
            except (TypeError, ValueError):
                # A function in C has no signature; a wrong call fails by itself.
                arguments = kwargs
        if parameter is not None:
            return arguments.get(parameter)
        return usual_key(arguments) if self._key is None else None

    def _known_answer(self, call: Call) -> object:
        """Return the answer to a call with a key that is known; `_NOTHING` if it has to be made.

        Raises:
            ReusedKeyError: when the key belongs to another call.
        """
        if call.key is None:
            return _NOTHING
        known = self._memory().get(call.key)
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

    def _has_happened(self, call: Call, answer: object) -> None:
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
        before, self._made_by = self._made_by, (id(current), threading.get_ident(), _task())
        is_one_delivery = before is not None and before[0] == id(current)
        if current.undisturbed and is_one_delivery and before != self._made_by:
            current.of_search.learn(unordered, self.name)
        self._are_unordered = self.name in unordered

    # What it remembers

    @property
    def _containers(self) -> Containers:
        current = watcher.get()
        if current is None:
            return Containers()
        return current.of_history.of(
            ("containers", self), lambda: self._new_containers(current.of_history)
        )

    def _new_containers(self, history: SourceState) -> Containers:
        containers = Containers()
        later_acts(history).append(lambda: containers.acts(self.name))
        return containers

    def _memory(self) -> dict[object, tuple[float, object, str, object]]:
        current = watcher.get()
        if self.answers_by_key or current is None:
            return self._answers
        return current.of_history.of(("keys", self.name), dict)

    def _awaited(self) -> set[str]:
        """Return the paths of plain functions that return coroutines."""
        current = watcher.get()
        if current is None:
            return set()
        kept: set[str] = current.of_search.of(("awaited", self.name), set)
        return kept

    def _learn_of(self, place: Place) -> None:
        """Learn that the calls on the way to an effect are none themselves.

        Only a delivery that nothing interrupts teaches it: all others are compared with that one.
        """
        current = watcher.get()
        if current is not None and current.undisturbed:
            self._kinds().learn_of(self._named(place), current.of_search)

    def entered(self, place: Place) -> None:
        """Learn that a call returns a context manager, which its `with` block has just entered."""
        self._learn_of(Place(f"{place.path}.__enter__"))


def _task() -> object:
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _is_same(one: object, other: object) -> bool:
    """Return whether two calls are the same, but for what is random or a time in their arguments."""
    if repr(one) == repr(other):
        return True
    current = watcher.get()
    return current is not None and current.form_of(one) == current.form_of(other)
