"""What the decorators of locks and limits declare: a key, and a rule.

Two jobs are the same when the value that the key makes of their arguments is.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from ...errors import DeclarationError, SerializationError
from ..arguments.encoding import encode_value
from ..foundation.base import Declaration, JobBase
from ..foundation.options import duration_ns, nearest
from ..foundation.waits import Seconds, seconds_of

Key: TypeAlias = "str | Iterable[str] | Callable[..., object] | None"


class JobKey:
    """The declared key of a job: names of parameters, a function of the arguments, or all arguments."""

    __slots__ = ("_declared_by", "_function", "_names", "_scope")

    def __init__(self, key: Key, scope: str | None, declared_by: str, scope_name: str) -> None:
        if scope is not None and (not isinstance(scope, str) or not scope):
            raise DeclarationError(
                f"{declared_by}({scope_name}={scope!r}) names nothing: write a text, which jobs that share it "
                "have in common, or leave it out."
            )
        self._declared_by = declared_by
        self._scope = scope
        self._function: Callable[..., object] | None = None
        self._names: tuple[str, ...] | None = None
        if isinstance(key, str):
            self._names = (key,)
        elif callable(key):
            if inspect.iscoroutinefunction(key):
                raise DeclarationError(
                    f"{declared_by}(key={key!r}) is a coroutine function, and a key is made where nothing is "
                    "awaited: write a plain function of the arguments of the job."
                )
            self._function = key
        elif key is not None:
            given: object = key
            names = tuple(given) if isinstance(given, list | tuple) else None
            if names is None or not all(isinstance(name, str) for name in names):
                raise DeclarationError(
                    f"{declared_by}(key={key!r}) is not a key: write the name of a parameter, several in a tuple, "
                    "or a function of the arguments of the job."
                )
            self._names = names

    def check(self, declaration: Declaration) -> None:
        """Check the key against the parameters of `perform`.

        Raises:
            DeclarationError: when a name is none of them, or the function does not take them.
        """
        binder = declaration.binder
        if binder is None:
            return
        where = declaration.job_class.__qualname__
        for name in self._names or ():
            if name not in binder.names or name == binder.rest:
                known = tuple(each for each in binder.names if each != binder.rest)
                raise DeclarationError(
                    f"{self._declared_by}(key={name!r}) names no parameter of {where}{nearest(name, known)} "
                    f"Its parameters: {', '.join(known) or 'none'}."
                )
        if self._function is not None:
            args, kwargs = binder.blank()
            try:
                inspect.signature(self._function).bind(*args, **kwargs)
            except TypeError as error:
                raise DeclarationError(
                    f"{self._declared_by}(key=...) is called with the arguments of {where}{binder.signature}, "
                    f"and does not take them: {error}."
                ) from None
            except ValueError:
                return  # Some builtin functions have no signature.

    def text(self, job: JobBase) -> str:
        """Return the key of a job.

        Raises:
            SerializationError: when what the function returned, or a default of a parameter, cannot be
                written.
        """
        declaration = job.__declaration__
        types = declaration.argument_types
        if self._function is not None:
            made = self._function(*job.args, **job.kwargs)
            try:
                values = [encode_value(made, "key", types)]
            except SerializationError as error:
                raise SerializationError(
                    f"{self._declared_by}(key=...) returned {made!r} for {type(job).__qualname__}, which is not a "
                    "key: let it return what a payload can carry, such as an id, or several in a tuple."
                ) from error
        else:
            params = job.params
            names = self._names
            if names is None:
                # In the order of the signature, and the keywords beyond it by name.
                order = {name: place for place, name in enumerate(declaration.signature.names)}
                names = tuple(sorted(params, key=lambda name: (order.get(name, len(order)), name)))
            values = [
                encode_value(params[name], f"the parameter {name!r}", types) for name in names
            ]
        # The keys of every object in order: two jobs are the same whose dicts are equal.
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return f"{self._scope or declaration.name}:{text}"


Until: TypeAlias = Literal[
    "executed", "executing", "expired", "while_executing", "until_and_while_executing"
]
Strategy: TypeAlias = Literal["drop", "log", "raise", "replace", "reschedule", "reject"]
Side: TypeAlias = Literal["enqueue", "perform"]
OnConflict: TypeAlias = "Strategy | Mapping[Side, Strategy]"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of lock keeps out, and until when."""

    #: Whether a second job is kept out when it is enqueued.
    at_enqueue: bool
    #: When that lock ends: as a run begins, with the job, or by its time alone.
    ends: Literal["start", "end", "never"]
    #: Whether a second job is kept from running while one runs.
    while_running: bool

    @property
    def sides(self) -> tuple[Side, ...]:
        """Where a conflict can arise."""
        sides: dict[Side, bool] = {"enqueue": self.at_enqueue, "perform": self.while_running}
        return tuple(side for side, arises in sides.items() if arises)


KINDS: Final[Mapping[str, Kind]] = {
    "executed": Kind(at_enqueue=True, ends="end", while_running=False),
    "executing": Kind(at_enqueue=True, ends="start", while_running=False),
    "expired": Kind(at_enqueue=True, ends="never", while_running=False),
    "while_executing": Kind(at_enqueue=False, ends="end", while_running=True),
    "until_and_while_executing": Kind(at_enqueue=True, ends="start", while_running=True),
}
#: What can be done about a second job, by where it is kept out.
STRATEGIES: Final[Mapping[Side, tuple[Strategy, ...]]] = {
    "enqueue": ("drop", "log", "replace"),
    "perform": ("drop", "log", "raise", "reschedule", "reject"),
}
_EVERY_STRATEGY: Final = ("drop", "log", "raise", "replace", "reschedule", "reject")
#: Why a strategy is not for the other side.
_INSTEAD: Final[Mapping[str, str]] = {
    "raise": "`perform_later` returns the job, and its `dropped_for` names the other",
    "reject": "a job that was never enqueued is not a dead letter",
    "reschedule": "a job that is to come later is enqueued with `set(wait=...)`",
    "replace": "a job that runs cannot be replaced",
}


class UniqueRule:
    """The declaration of a unique job."""

    __slots__ = ("key", "kind", "on_enqueue", "on_perform", "ttl_ns")

    def __init__(
        self, key: Key, until: str, ttl: Seconds | None, scope: str | None, on_conflict: OnConflict
    ) -> None:
        if not isinstance(until, str) or until not in KINDS:
            raise DeclarationError(
                f"unique(until={until!r}) is not a kind of lock{nearest(until, KINDS)} "
                f"There are {', '.join(KINDS)}."
            )
        self.kind = KINDS[until]
        self.key = JobKey(key, scope, "unique", "scope")
        seconds = None if ttl is None else seconds_of(ttl, "ttl")
        if seconds == 0:
            raise DeclarationError(
                "unique(ttl=0) is a lock that ends as it begins: write a longer one, or None for a lock without "
                "a time."
            )
        self.ttl_ns = None if seconds is None else duration_ns(seconds)
        if until == "expired" and ttl is None:
            raise DeclarationError(
                "unique(until='expired') without a ttl would let one job through, and never another: write "
                "ttl=timedelta(hours=1), say."
            )
        chosen = _by_side(until, self.kind, on_conflict)
        self.on_enqueue: Strategy = chosen.get("enqueue", "drop")
        self.on_perform: Strategy = chosen.get("perform", "drop")


def _by_side(until: str, kind: Kind, on_conflict: object) -> dict[Side, Strategy]:
    """Return the strategy of each side on which the lock keeps a job out."""
    if not isinstance(on_conflict, Mapping):
        return {side: _checked(until, side, on_conflict) for side in kind.sides}
    for side in on_conflict:
        if side not in kind.sides:
            raise DeclarationError(
                f"unique(until={until!r}, on_conflict={dict(on_conflict)!r}) says what happens at {side!r}, where "
                f"this lock keeps nothing out: it does so at {' and '.join(map(repr, kind.sides))}."
            )
    return {
        side: _checked(until, side, on_conflict[side]) for side in kind.sides if side in on_conflict
    }


def _checked(until: str, side: Side, strategy: Any) -> Strategy:
    if strategy not in _EVERY_STRATEGY:
        raise DeclarationError(
            f"unique(on_conflict={strategy!r}) is not a way to deal with a conflict"
            f"{nearest(strategy, _EVERY_STRATEGY)} There are {', '.join(_EVERY_STRATEGY)}."
        )
    if strategy not in STRATEGIES[side]:
        meant = ""
        for other in KINDS[until].sides:
            if other != side and strategy in STRATEGIES[other]:
                meant = (
                    f" It does so at {other!r} too: if that is meant write "
                    f"on_conflict={{{other!r}: {strategy!r}}}."
                )
        raise DeclarationError(
            f"unique(until={until!r}, on_conflict={strategy!r}) cannot be: this lock keeps a job out at "
            f"{side!r}, and {_INSTEAD[strategy]}. There write {', '.join(STRATEGIES[side])}.{meant}"
        )
    chosen: Strategy = strategy
    return chosen


OnLimit: TypeAlias = Literal["block", "discard"]

#: Three minutes, in seconds: the default of Solid Queue.
DEFAULT_DURATION: Final = 180


class LimitRule:
    """The declaration of a limited job."""

    __slots__ = ("blocks", "duration_ns", "key", "to")

    def __init__(
        self, to: int, key: Key, group: str | None, duration: Seconds, on_conflict: str
    ) -> None:
        given: Any = to
        if type(given) is not int or given < 1:
            raise DeclarationError(
                f"limits_concurrency(to={to!r}) is not a number of jobs at once: write an int of at least 1."
            )
        if on_conflict not in get_args(OnLimit):
            raise DeclarationError(
                f"limits_concurrency(on_conflict={on_conflict!r}) is not a way to deal with a job beyond the limit"
                f"{nearest(on_conflict, get_args(OnLimit))} There are block, discard."
            )
        seconds = seconds_of(duration, "duration")
        if seconds == 0:
            raise DeclarationError(
                "limits_concurrency(duration=0) limits nothing, since each place would end as it begins: "
                "write how long a job may take at most."
            )
        self.to = to
        self.key = JobKey(() if key is None else key, group, "limits_concurrency", "group")
        self.duration_ns = duration_ns(seconds)
        self.blocks = on_conflict == "block"
