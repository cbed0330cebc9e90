"""Records of the application: a payload names them by class and id, and a delivery finds them again."""

from __future__ import annotations

import inspect
import logging
import operator
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeAlias, TypeVar, cast

from ...errors import (
    DeclarationError,
    DeserializationError,
    JobsError,
    RecordNotFoundError,
    RecordUnavailableError,
)
from ..foundation.callbacks import without_awaiting
from ..foundation.libraries import integrations_in_use
from ..foundation.protocols import CommitWait, WasIdle
from ..foundation.registry import import_module_of, name_of, standing_at
from ..foundation.vocabulary import in_our_words

_log: Final = logging.getLogger(__name__)


class DatabaseSession(Protocol):
    """What a database library keeps open while a job has its records.

    The methods of a session for coroutine jobs return awaitables.
    """

    def commit(self) -> Awaitable[None] | None: ...

    def roll_back(self) -> Awaitable[None] | None: ...

    def close(self) -> Awaitable[None] | None: ...


S = TypeVar("S", bound=DatabaseSession)


class UnitOfWork:
    """The records of one delivery, and the database session that they were found in.

    It is committed when the job was performed, and rolled back when the job raised; then the rules of
    the job run, and what they did is committed. The methods are coroutines for both kinds of jobs:
    for a synchronous job none of them awaits anything.
    """

    __slots__ = ("_decided", "_looked_up", "_outer", "_session", "awaits")

    def __init__(self, *, awaits: bool) -> None:
        """Begin; no session is open yet.

        Args:
            awaits: whether the job is a coroutine function.
        """
        #: Whether the job is a coroutine function, whose records are looked up before they are needed.
        self.awaits = awaits
        self._session: DatabaseSession | None = None
        # By the text of the id, since an id need not be hashable.
        self._looked_up: dict[tuple[type, str], object] = {}
        #: The jobs that wait for a transaction in which nothing was written, unless that is written in.
        self._decided: list[tuple[WasIdle, CommitWait]] = []
        self._outer: Token[UnitOfWork | None] | None = None

    def decide(self, transaction: WasIdle, wait: CommitWait) -> None:
        """Let this delivery decide about a job that waits for a transaction in which nothing was written."""
        self._decided.append((transaction, wait))

    @property
    def decides(self) -> bool:
        """Whether the delivery has not ended yet."""
        return self._outer is not None

    def session(self, open: Callable[[], S]) -> S:
        """Return the session of this delivery, which is opened for the first record."""
        if self._session is None:
            self._session = open()
        return cast(S, self._session)

    async def look_up(self, reference: Reference, identifier: object) -> None:
        """Look a record up for a coroutine job, before its arguments are decoded, which cannot await."""
        key = (reference.cls, repr(identifier))
        if key not in self._looked_up:
            self._looked_up[key] = await reference.afind_record(identifier, self)

    def find(self, reference: Reference, identifier: object) -> object:
        """Return a record, which was looked up before if the job is a coroutine function."""
        if self.awaits:
            return self._looked_up[reference.cls, repr(identifier)]
        return reference.find_record(identifier, self)

    async def commit(self) -> None:
        if self._session is not None:
            await _settled(self._session.commit())
        self.performed()

    async def roll_back(self, error: Exception) -> None:
        """Take it back for an error of the job, which gets a note if that fails too."""
        try:
            if self._session is not None:
                await _settled(self._session.roll_back())
        except Exception as raised:
            error.add_note(
                "What the job did to its records could not be rolled back either: "
                f"{type(raised).__name__}: {raised}"
            )
        self.failed()

    def begin(self) -> None:
        """Have jobs that are enqueued from now on find this unit; for a delivery without records."""
        self._outer = units.enter(self)

    def performed(self) -> None:
        """Enqueue the jobs that this delivery decides about."""
        for wait in self._take_decided():
            wait.committed()

    def failed(self) -> None:
        """Drop the jobs that this delivery decides about."""
        self._drop("since the job that enqueued it failed")

    def end(self) -> None:
        """Decide about nothing any more."""
        units.leave(self._outer)
        self._outer = None
        if self._decided:
            self._drop("since the delivery that enqueued it did not end")

    def _take_decided(self) -> list[CommitWait]:
        """Return the jobs that no transaction decides about, by its commit or its rollback, any more."""
        if not self._decided:
            return []
        found = [wait for transaction, wait in self._decided if not transaction.is_written]
        self._decided = [each for each in self._decided if each[0].is_written]
        return found

    def _drop(self, by: str) -> None:
        for wait in self._take_decided():
            wait.dropped(by)

    async def __aenter__(self) -> Self:
        self.begin()
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.end()
        if self.awaits and kind is GeneratorExit:
            return  # The coroutine is thrown away, and so can await nothing any more.
        try:
            if self._session is not None:
                await _settled(self._session.close())
        except Exception:
            _log.warning("What held the records of a job could not be closed.", exc_info=True)


class Units:
    """The units of work of the deliveries that are being made."""

    __slots__ = ("_here", "in_use")

    def __init__(self) -> None:
        #: Whether a database library asks for them: without one, plain jobs spend no time on them.
        self.in_use = False
        self._here: ContextVar[UnitOfWork | None] = ContextVar("pytest_jobs_unit", default=None)

    def here(self) -> UnitOfWork | None:
        """Return the unit of the delivery that is made in this thread or task; None outside of deliveries."""
        unit = self._here.get()
        # A task may go on when the delivery that began it has ended.
        return unit if unit is not None and unit.decides else None

    def enter(self, unit: UnitOfWork) -> Token[UnitOfWork | None]:
        """Begin a unit; return what `leave` takes."""
        return self._here.set(unit)

    def leave(self, outer: Token[UnitOfWork | None] | None) -> None:
        """Bring the unit around it back."""
        if outer is None:
            return
        try:
            self._here.reset(outer)
        except ValueError:
            return  # A coroutine that is thrown away ends in the context of whoever throws it away.


#: Where the unit of work of a delivery is found.
units = Units()


async def _settled(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting


C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class Reference:
    """How records of a class are named in a payload, and found again.

    A finder returns None, or raises a `LookupError`, where the record is gone. `find` is for synchronous
    jobs, `afind` for coroutine jobs.
    """

    cls: type
    identify: Callable[[Any], object]
    find: Callable[[Any, UnitOfWork], object]
    afind: Callable[[Any, UnitOfWork], Awaitable[object]]

    def find_record(self, identifier: object, unit: UnitOfWork) -> object:
        """Look a record up.

        Args:
            identifier: its id.
            unit: the unit of work of the delivery, in whose session it is found.

        Raises:
            RecordNotFoundError: when there is none.
            RecordUnavailableError: when it could not be looked up.
            DeclarationError: when it is found by a coroutine function only.
        """
        try:
            record = self.find(identifier, unit)
        except Exception as error:
            raise self._failure(identifier, error) from error
        return self._present(record, identifier)

    async def afind_record(self, identifier: object, unit: UnitOfWork) -> object:
        """Look a record up for a coroutine job; see `find_record`."""
        try:
            record = await self.afind(identifier, unit)
        except Exception as error:
            raise self._failure(identifier, error) from error
        return self._present(record, identifier)

    def _present(self, record: object, identifier: object) -> object:
        if record is None:
            raise RecordNotFoundError(self._gone(identifier))
        return record

    def _failure(self, identifier: object, error: Exception) -> Exception:
        if isinstance(error, JobsError):
            return error
        if isinstance(error, LookupError):
            return RecordNotFoundError(self._gone(identifier))
        return RecordUnavailableError(
            f"The {self.cls.__qualname__} {identifier!r} could not be looked up, and may exist: try such jobs "
            f"again with @retry_on(RecordUnavailableError). The error was {type(error).__name__}: {error}"
        )

    def _gone(self, identifier: object) -> str:
        return (
            f"The {self.cls.__qualname__} {identifier!r} does not exist any more: enqueue its job when it is "
            "committed, or drop such jobs with @discard_on(RecordNotFoundError)."
        )


#: Returns the reference of a class, which is the declared one or a subclass of it.
MakeReference: TypeAlias = Callable[[type], Reference]
#: Returns the argument for a reference and an id: the record, or something in its place.
Find: TypeAlias = Callable[[Reference, object], object]


class RecordReference:
    """A record as a payload names it: by class and id, not looked up.

    It equals the record that it names, whatever happened to the record since.
    """

    __slots__ = ("_reference", "id")

    def __init__(self, reference: Reference, id: object) -> None:
        self._reference = reference
        #: The id of the record.
        self.id = id

    @property
    def cls(self) -> type:
        return self._reference.cls

    def find(self) -> object:
        """Look the record up. One of SQLAlchemy belongs to no session then.

        Raises:
            RecordNotFoundError: when it is gone.
            RecordUnavailableError: when it could not be looked up.
        """

        async def find() -> object:
            async with UnitOfWork(awaits=False) as unit:
                return unit.find(self._reference, self.id)

        return without_awaiting(find(), f"Looking up {self!r}")

    def __eq__(self, other: object) -> bool:
        """Compare with a record, or with another reference, by class and id."""
        if isinstance(other, RecordReference):
            return self.cls is other.cls and self.id == other.id
        found = references.of(type(other)) if isinstance(other, self.cls) else None
        return found is not None and found.cls is self.cls and found.identify(other) == self.id

    def __hash__(self) -> int:
        return hash((self.cls, self.id))

    def __repr__(self) -> str:
        return f"<{self.cls.__qualname__} {self.id!r}>"


class References:
    """How the records of an application are found: those it declared, and the models of its database."""

    __slots__ = ("_by_name", "_declared", "_made")

    def __init__(self) -> None:
        #: What makes the reference of a class and of its subclasses.
        self._declared: dict[type, MakeReference] = {}
        self._made: dict[type, Reference] = {}
        self._by_name: dict[str, type] = {}

    def declare(self, cls: type, make: MakeReference) -> None:
        """Let payloads refer to the records of a class and of its subclasses."""
        self._declared[cls] = make
        self._by_name[name_of(cls)] = cls
        self._made = {made: how for made, how in self._made.items() if not issubclass(made, cls)}

    def of(self, cls: type) -> Reference | None:
        """Return the reference of a class: what its nearest declared base makes of it, or that of a model."""
        if (known := self._made.get(cls)) is not None:
            return known
        made = self._make(cls)
        if made is not None:
            self._made[cls] = made
            self._by_name[name_of(cls)] = cls
        return made

    def _make(self, cls: type) -> Reference | None:
        for base in cls.__mro__:
            if base in self._declared:
                return self._declared[base](cls)
        for library in integrations_in_use(
            django="django.records", sqlalchemy="sqlalchemy.sessions"
        ):
            model: Reference | None = library.reference_of(cls)
            if model is not None:
                return model
        return None

    def named(self, name: str) -> Reference:
        """Return the reference of the class of this name, the last that was declared.

        Raises:
            DeserializationError: when there is no such class of records.
        """
        if name not in self._by_name:
            import_module_of(name, made_with=("pytest_jobs", "sqlalchemy", "django"))
        cls: object = self._by_name.get(name) or standing_at(name)
        found = self.of(cls) if isinstance(cls, type) else None
        if found is None:
            raise DeserializationError(
                f"The payload refers to a {name}, and nothing says how to find it: it is not a model of "
                "SQLAlchemy "
                "or Django that can be imported here, and no `@reference(id=..., find=...)` declares it."
            )
        return found


#: How the records of the application are found.
references = References()


def with_records(value: Any) -> Any:
    """Return a value with the record in place of every reference, each looked up; see `RecordReference.find`."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(with_records(item) for item in value)
    if kind is dict:
        return {key: with_records(item) for key, item in value.items()}
    return value.find() if kind is RecordReference else value


@in_our_words(DeclarationError)
def reference(
    *, id: str | Callable[[Any], object], find: str | Callable[[Any], object]
) -> Callable[[C], C]:
    """Let jobs take records of this class, carried by id and looked up when the job runs.

    A class decorator; for a class that is not yours, call it: `reference(id="pk", find=get)(User)`.
    Records of a subclass travel as records of that subclass. Models of SQLAlchemy and Django need no
    `reference`, and where they have one it holds. The semantics are those of ActiveJob's GlobalID.

    Args:
        id: the attribute that identifies a record, or a callable that takes a record.
        find: the name of a method of the class that takes the id, or a callable that does. The method is
            looked up each time on the class of the record. For a record that is gone it returns None or
            raises a LookupError; any other error means that it could not be looked up. A coroutine
            function finds records for coroutine jobs only.

    Raises:
        DeclarationError: when the class has no such method.
    """
    identify = operator.attrgetter(id) if isinstance(id, str) else id

    def make(cls: type) -> Reference:
        def look_up(identifier: object) -> Any:
            # The method as it is now: a subclass may have its own, and a test may have patched it.
            finder: Any = getattr(cls, find) if isinstance(find, str) else find
            return finder(identifier)

        def find_at_once(identifier: object, unit: UnitOfWork) -> Any:
            record = look_up(identifier)
            if inspect.iscoroutine(record):
                record.close()
                raise DeclarationError(
                    f"A {cls.__qualname__} is found by a coroutine function, which a synchronous job cannot "
                    "await: declare the job `async def perform`, or give `reference` a plain function as `find`."
                )
            return record

        async def find_awaited(identifier: object, unit: UnitOfWork) -> Any:
            record = look_up(identifier)
            return await record if inspect.iscoroutine(record) else record

        return Reference(cls, identify, find_at_once, find_awaited)

    def register(cls: C) -> C:
        if isinstance(find, str) and not callable(getattr(cls, find, None)):
            raise DeclarationError(
                f"{cls.__qualname__} has no method {find!r}, which `reference(find={find!r})` names."
            )
        references.declare(cls, make)
        return cls

    return register
