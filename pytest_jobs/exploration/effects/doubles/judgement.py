"""One judgement for the calls of all doubles, which looks at what a call has changed.

A call that has changed something in the memory of the double is an effect. One that changes nothing, and has
before, is none. Only a call that never changes anything is judged by its name.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from contextvars import Token
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, NamedTuple, Self

from ....harness.records.attributes import identity
from ...engine.acts import Act, Skipped, SourceState, Watch, looking, parts
from ...engine.memory.places import CONSTANTS
from ...engine.watching import is_within_act
from .arguments import ONCE_FOR_KEY, comparable, item_key, likely_key, text_of, usual_key
from .call_kinds import CallKind, does_something, kinds_of
from .memory import Memory, Unit, kept_in
from .operators import SYMBOLS

#: Whether the state shows what a call does is asked so often for each name: a look may read all tables.
_ASKED_AT_MOST: Final = 10


class Title(NamedTuple):
    """The name of something that lies in a place of the project."""

    name: str
    #: Whether it stands for something of the project itself.
    is_of_project: bool
    #: The thing itself, so that nothing else gets its identity.
    value: Any


@dataclass(eq=False)
class Called:
    """A call of a double, as it was before it was made."""

    #: What has the method, or leads to it; empty for a function.
    owner: str
    #: The method, or the way to it: `messages.create`.
    path: str
    #: The name as a service would have it: `mailer.send` of a `FakeMailer`.
    own: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    #: All arguments by the names of parameters.
    named: Mapping[str, Any]
    #: From these one comes to what it may change.
    roots: tuple[Any, ...]
    title: Title | None = None
    #: The arguments of the calls on the way to the method.
    through: tuple[Any, ...] = ()
    #: The parameter that carries its key, empty for none. The key itself is not compared.
    key_word: str = ""
    #: The whole name, and the last word of it.
    name: str = field(init=False)
    method: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.owner}.{self.path}" if self.owner else self.path
        self.method = self.path.rpartition(".")[2]

    @cached_property
    def made(self) -> tuple[Any, ...]:
        """Its name and its arguments."""
        named = sorted(one for one in self.kwargs.items() if one[0] != self.key_word)
        return self.path, *self.through, *self.args, *named

    @cached_property
    def compared(self) -> Any:
        """Its name and its arguments, in a form that can be compared with that of another history."""
        return comparable(self.made)

    @cached_property
    def text(self) -> str:
        return text_of(self.path, self.args, self.kwargs)


class Judgement:
    """What is known of the calls of doubles, in one search."""

    def __init__(self, is_own: Callable[[type], bool]) -> None:
        #: Whether a class is of the project or its tests.
        self.is_own = is_own
        #: Returns the state of the innermost world.
        self.observed: Callable[[], object] = dict
        #: The names of calls that have changed something; that count since they never do; that only pass calls on;
        #: that only look something up; and whose results the state of the world shows.
        self.records, self.by_name = set[str](), set[str]()
        self.passing, self.reads, self.shown = set[str](), set[str](), set[str]()
        #: The doubles whose `commit` the job calls, and their classes.
        self._units: dict[int, Any] = {}
        self._kinds_of_units = set[str]()
        #: How often the state was asked what a call does.
        self._asked = Counter[str]()

    def asks(self, name: str) -> bool:
        """Return whether the state is asked what a call does. If it shows nothing so often, it shows nothing."""
        self._asked[name] += 1
        return name not in self.shown and self._asked[name] <= _ASKED_AT_MOST

    def seen(self) -> object:
        """Return the state of the innermost world; None if the delivery holds a lock on it."""
        try:
            return self.observed()
        except Exception:
            return None

    def unit_of(self, roots: tuple[Any, ...], current: Watch) -> Unit | None:
        """Return the unit of work in which something is done to the first of some roots; None if it is in none."""
        if not roots:
            return None
        # A world makes another one for each history.
        own = [one for one in roots if type(one).__qualname__ in self._kinds_of_units]
        for double in (*self._units.values(), *own):
            made = partial(Unit, double, self.is_own, current)
            unit: Unit = current.of_history.of((current, identity(double)), made)
            if unit.has(roots[0]):
                return unit
        return None

    def learn_unit(self, double: Any, search: SourceState) -> None:
        """Learn that a double has a `commit` that the job calls, by which it is a unit of work."""
        self._units[identity(double)] = double
        search.learn(self._kinds_of_units, type(double).__qualname__)


def judgement_of(search: SourceState) -> Judgement:
    return search.of(Judgement, lambda: Judgement(bool))


class Running:
    """One call of a double, from its beginning to its end."""

    def __init__(
        self, called: Called, current: Watch, kind: CallKind | None = None, *, again: bool = False
    ) -> None:
        """Prepare to judge a call.

        Args:
            called: the call.
            current: the watch of the delivery that makes it.
            kind: what it is by its name, if the double is a mock, or what the test has declared to be a service.
                Each call of these stands for itself: nobody asks whether it passes calls on, whether the state of
                the world shows it, or whether its name is a known verb.
            again: whether a generator goes on.
        """
        self.called, self._current = called, current
        self._is_declared = kind is not None
        self._judgement = judgement_of(current.of_search)
        self._kinds = kinds_of(current.of_search)
        name = called.name
        self._is_said = self._kinds.said_of(name) is not None
        #: Whether only a change counts: at the end of a block, or behind a `yield`.
        self._ends_block = again or called.method in ("__exit__", "__aexit__")
        self._spot = f"{name} ends" if self._ends_block else name
        self._kind = (
            "effect"
            if self._ends_block and not self._is_said
            else kind or self._kinds.of(name, called.own, called.args, called.kwargs)
        )
        #: Whether it is compared by itself, and whether what is called finds out itself which keys it knows.
        self._is_compared, self._knows_keys = True, False
        self._unit: Unit | None = None
        self._block: AbstractContextManager[None] | None = None
        self._act: Act | None = None
        self._token: Token[list[Act] | None] | None = None
        #: The state of the world before the call, if it is asked what the call does.
        self._seen: object = None
        self._inner: list[Act] = []
        self._is_skipped = self._is_part = False

    def begin(self) -> None:
        """Come to the point before a call that has begun already: it may be killed or refused there."""
        try:
            self.__enter__()
        except Skipped:
            # It cannot be skipped any more, so it is taken back at its end.
            self._is_skipped = True

    def __enter__(self) -> Self:
        """Come to the point before the call. It raises `Skipped` where a dead delivery must not make the call."""
        judgement, current = self._judgement, self._current
        self._is_part = is_within_act()
        is_look_up = self._kind in ("read", "nothing")
        self._is_decided = self._is_declared and (self._is_said or is_look_up)
        self._memory = Memory(() if self._is_decided else self.called.roots, judgement.is_own)
        kept = self._kept = kept_in(current.of_history)
        kept.look()
        kept.keep(self._memory)
        if is_look_up or self._spot in judgement.reads:
            if not is_look_up and not self._ends_block:
                self._kinds.note(self.called.name, "read, as it changes nothing")
            self._block = looking()
        else:
            if self._is_declared and current.undisturbed:
                self._kinds.learn_of(self.called.name, current.of_search)
            self._act = self._described()
            self._unit = judgement.unit_of(self.called.roots, current)
            self._block = current.acting(self._act)
        self._block.__enter__()
        if not current.undisturbed:
            # Another delivery may have run at this point.
            self._memory.catch_up()
        elif not self._is_declared:
            self._token = parts.set(self._inner)
            if self._act is not None and judgement.asks(self.called.name):
                self._seen, self._beats = judgement.seen(), current.beats
        return self

    def _described(self) -> Act:
        called, name, method, path = (
            self.called,
            self.called.name,
            self.called.method,
            self.called.path,
        )
        title = called.title
        if method in SYMBOLS:
            path = f"{path.removesuffix(method)[:-1]} {SYMBOLS[method]}".lstrip()
            text = f"{path} {text_of('', called.args, {})[1:-1]}"
            value = comparable((path, *called.made[1:]))
        else:
            text, value = called.text, called.compared
        sent = usual_key(called.named)
        key = repr(value) if self._kind == "put" else sent
        if key is None:
            key = likely_key(called.own, called.args, called.named)
            if key is not None:
                self._kinds.note(name, ONCE_FOR_KEY)
        if method in ("__setitem__", "__delitem__"):
            key = item_key(called.args)
        self._is_shown = name in self._judgement.shown
        if self._is_shown:
            self._kinds.note(name, "compared by the state")
        return Act(
            called.owner or path,
            text,
            counts=False,
            value=value if self._is_compared and not self._is_shown else None,
            key=None if key is None or self._knows_keys else (path, key),
            sent_key=sent,
            stands_for=name if title is not None and title.is_of_project else "",
        )

    def end(self, answer: object) -> None:
        """Find out whether the call was an effect."""
        # Before the state of the world is asked for, which has what the job has changed.
        self._kept.catch_up()
        if self._inner and not self._is_said:
            self._current.of_search.learn(self._judgement.passing, self.called.name)
        elif self._act is not None and not self._is_skipped:
            self._judge(self._act, answer)
        self._commit()
        if type(answer) not in CONSTANTS and self.called.roots:
            self._give(answer)

    def _give(self, answer: object) -> None:
        """Note what the job has got of what the double keeps. What is made for the job only is of the job."""
        given, kept = Memory((answer,), self._judgement.is_own), self._memory
        if self._is_decided and given.taken:
            kept = Memory(self.called.roots, self._judgement.is_own)
        given.taken = {key: given.taken[key] for key in given.taken.keys() & kept.taken.keys()}
        self._kept.give(given, self.called.owner, type(answer).__name__)

    def _commit(self) -> None:
        """Let a unit of work end, if this is its `commit`."""
        called = self.called
        owner = next(iter(called.roots), None)
        if called.method != "commit" or called.args or owner is None:
            return
        unit = self._judgement.unit_of(called.roots, self._current)
        if unit is not None:
            unit.commit()
        elif self._current.undisturbed:
            self._judgement.learn_unit(owner, self._current.of_search)

    def leave(self, error: BaseException | None) -> None:
        """Come to the point behind the call, and end its block."""
        self._kept.catch_up()
        if self._token is not None:
            # A coroutine that is thrown away ends in the context of whoever does it.
            with suppress(ValueError):
                parts.reset(self._token)
        if self._is_skipped:
            self._memory.put_back()
        elif self._block is not None:
            self._block.__exit__(None if error is None else type(error), error, None)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.leave(error)

    def _judge(self, act: Act, answer: object) -> None:
        called, judgement, current = self.called, self._judgement, self._current
        name, search = called.name, current.of_search
        is_changed = any(self._memory.changed())
        if is_changed:
            if name in judgement.by_name:
                search.learn(judgement.records, name)
            judgement.records.update((name, self._spot))
        is_shown = (
            self._seen is not None
            and current.beats == self._beats
            and self._seen != judgement.seen()
        )
        if is_shown:
            search.learn(judgement.shown, name)
        is_effect = is_changed or self._is_said
        if not is_effect and self._spot not in judgement.records:
            is_effect = not self._ends_block and self._is_effect_by_name(answer)
            if is_effect:
                judgement.by_name.add(name)
            elif current.undisturbed:
                search.learn(judgement.reads, self._spot)
        if is_effect and not self._is_shown:
            if self._unit is None:
                self._note(act, answer)
            else:
                self._unit.note(partial(self._note, act, answer))

    def _is_effect_by_name(self, answer: object) -> bool:
        """Return whether a call that never changes anything does something, as its name and its answer say."""
        called = self.called
        is_told = bool(called.args or called.kwargs)
        return self._is_declared or (
            not inspect.iscoroutine(answer)
            and (answer is None or (is_told and does_something(called.method)))
        )

    def _note(self, act: Act, answer: object) -> None:
        # What it is a part of is the effect.
        if not self._is_part:
            self._current.note(act)
