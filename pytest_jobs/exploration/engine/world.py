"""The world of a history, and the time and the garbage of it."""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from ...errors import ExplorationError
from ...harness.records.texts import error_text
from .ending import signs

T = TypeVar("T")


def without_garbage_collection(stack: ExitStack) -> None:
    """Switch the garbage collector off.

    It may run at any line, and would end what an earlier delivery left. An object that does something
    in its end, such as a pipeline of Redis, would then add an effect to the delivery that runs. Before
    Python 3.12 the collector may also run while a context variable is set; setting another one in the
    end of an object then damages the context.

    A job that collects by itself gets what is young, which is what it made: a whole process of tests takes long,
    and what it has left is not the job's.
    """
    if gc.isenabled():
        stack.callback(gc.enable)
        gc.disable()
    collect = gc.collect
    stack.callback(setattr, gc, "collect", collect)
    gc.collect = lambda generation=0: collect(0)


_STEP: Final = timedelta(minutes=1)
#: Deliveries that follow one another at once lie within so long. What was valid in the test still is.
_SPAN: Final = timedelta(minutes=5)


def time_until_no_midnight(now: datetime) -> timedelta:
    """Return how long to wait until no day ends within some minutes, here or in UTC.

    Otherwise two deliveries of a job that writes the date would differ, if the tests run at night.
    """
    wait = timedelta(0)
    while True:
        begin, end = now + wait, now + wait + _SPAN
        is_one_day = begin.date() == end.date()
        if is_one_day and begin.astimezone().date() == end.astimezone().date():
            return wait
        wait += _STEP


class _Clock(NamedTuple):
    """The clocks of the system: a limit is asked also where jobs get the time of the test in place of them."""

    now: Callable[[], float] = time.perf_counter
    computed: Callable[[], float] = time.process_time


# In an object, since names in modules that stand for these functions stand for others while jobs run.
SYSTEM: Final = _Clock()
#: When so many are done, it is known how long all of them take.
TO_KNOW_THE_PACE: Final = 8
#: So many times as long as it may compute, a search may take in real time.
_WAITING: Final = 6


class TimeLimit:
    """Returns whether time is left for the histories of one set of arguments.

    It counts seconds of computing, so that a busy machine takes none away. A search that waits, for a server for
    example, has several times as long.
    """

    __slots__ = ("_begun", "_passed_by", "_waited_by", "seconds")

    def __init__(self, seconds: float) -> None:
        #: How long it may compute.
        self.seconds = seconds
        now = SYSTEM.now()
        self._passed_by = now + self.seconds
        self._waited_by = now + max(seconds, signs.PATIENCE) * _WAITING
        self._begun = SYSTEM.computed()

    def __call__(self) -> bool:
        return not self.is_over

    @property
    def is_over(self) -> bool:
        now = SYSTEM.now()
        if now < self._passed_by:
            # Asking for the time of computing is slow, and it cannot be longer than the time that has passed.
            return False
        return now >= self._waited_by or self.computed >= self.seconds

    @property
    def computed(self) -> float:
        """The seconds of computing so far."""
        return SYSTEM.computed() - self._begun

    def half(self) -> TimeLimit:
        """Return a limit of half of the time that is left."""
        return TimeLimit(max(self.seconds - self.computed, 0) / 2)

    def suffices(self, done: int, more: int) -> bool:
        """Return whether there will be time for so many more, if each takes as long as those that are done."""
        return self.computed / done * (done + more) <= self.seconds


Snapshot: TypeAlias = Callable[[], Any]
World: TypeAlias = Callable[[], "AbstractContextManager[Snapshot] | Iterator[Snapshot]"]


def check_world(world: object) -> None:
    """Raise if a world cannot be built again and again."""
    if hasattr(world, "__enter__") or inspect.isgenerator(world):
        raise ExplorationError(
            f"world={world!r} is entered once only, and each history needs a world of its own: write the function "
            "that makes it, as in world=shop, without parentheses."
        )
    if not callable(world):
        raise ExplorationError(
            f"world={world!r} makes no world: write a generator function that yields a snapshot callable once, or "
            "a function that returns a context manager which gives one."
        )


@contextmanager
def open_world(world: World) -> Generator[Snapshot, None, None]:
    """Build a world for a block, and yield the function that returns its state."""
    made: Any = world()
    # Of a function that `contextlib.contextmanager` decorates, the same generator.
    generator = getattr(made, "gen", None) if type(made).__module__ == "contextlib" else made
    if inspect.isgenerator(generator):
        made = _Generated(world, cast("Generator[Snapshot, None, None]", generator))
    if not hasattr(made, "__enter__"):
        raise ExplorationError(
            f"world={world!r} returned {made!r}: it is a generator function that yields a snapshot callable once, "
            "or returns a context manager that gives one."
        )
    snapshot = made.__enter__()
    try:
        if not callable(snapshot):
            raise ExplorationError(
                f"The world gave {snapshot!r}, which is not a snapshot: yield a callable that returns the "
                "state, as "
                "in `yield lambda: {'payments': rows('payments')}`."
            )
        yield partial(_state_of, snapshot)
    except BaseException as error:
        # An error of the world that follows from this one would only hide it.
        with suppress(Exception):
            made.__exit__(type(error), error, error.__traceback__)
        raise
    try:
        made.__exit__(None, None, None)
    except ExplorationError:
        raise
    except Exception as error:
        raise ExplorationError(
            f"world={world!r} ended with {error_text(error)} while it was left. It is left after every history, "
            "also when the job was killed or did nothing: let the lines after its `yield` succeed then too, for "
            f"example within `with contextlib.suppress({type(error).__name__}):`."
        ) from error


def _state_of(snapshot: Snapshot) -> Any:
    state = snapshot()
    if state is None or inspect.isawaitable(state):
        if inspect.iscoroutine(state):
            state.close()
        kind = "None" if state is None else f"an awaitable, a {type(state).__name__}"
        raise ExplorationError(
            f"The snapshot of the world returned {kind}, which is not a state: return the values that the job "
            "changes, by name, as in `yield lambda: {'payments': rows('payments')}`."
        )
    return state


class _Generated:
    """A generator that yields a snapshot, as a context manager that says what is wrong with it."""

    def __init__(self, world: World, generator: Generator[Snapshot, None, None]) -> None:
        self._world = world
        self._generator = generator

    def __enter__(self) -> Snapshot:
        try:
            return next(self._generator)
        except StopIteration:
            raise ExplorationError(
                f"world={self._world!r} ended without a `yield`, so it shows no state: yield a callable that "
                "returns the state, as in `yield lambda: {'payments': rows('payments')}`."
            ) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        try:
            if error is None:
                next(self._generator)
            else:
                self._generator.throw(error)
        except StopIteration:
            return
        self._generator.close()
        raise ExplorationError(
            f"world={self._world!r} yields more than once: yield one callable that returns the whole state, as in "
            "`yield lambda: {'payments': rows('payments'), 'mails': mailer.calls}`."
        )


_NOT_PUT_BACK: Final = "not put back"


class WorldResources:
    """What the worlds of one search share, such as a connection to a server. It ends with the search."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._things: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], AbstractContextManager[T]]) -> T:
        """Return the resource with a key. It is made when it is asked for the first time."""
        if key not in self._things:
            self._things[key] = self._stack.enter_context(make())
        found: T = self._things[key]
        return found

    def find(self, key: Hashable) -> Any:
        """Return the resource with a key; None if it was not made yet."""
        return self._things.get(key)


#: What the worlds of the running search share; None outside of a search.
world_resources: ContextVar[WorldResources | None] = ContextVar(
    "pytest_jobs_world_resources", default=None
)


@contextmanager
def sharing_resources() -> Generator[None, None, None]:
    """Let the worlds of a block share resources, unless a block around it does."""
    if world_resources.get() is not None:
        yield
        return
    with ExitStack() as stack:
        token = world_resources.set(WorldResources(stack))
        stack.callback(world_resources.reset, token)
        yield


@contextmanager
def kept_for_search(
    key: Hashable, make: Callable[[], AbstractContextManager[T]]
) -> Generator[T, None, None]:
    """Yield a resource that ends with the search; outside of a search it ends with the block."""
    search = world_resources.get()
    if search is not None:
        yield search.get(key, make)
        return
    with make() as made:
        yield made


def note_not_put_back(name: str) -> None:
    """Note what the test has, and what no history finds as the test has it."""
    search = world_resources.get()
    if search is not None:
        made: list[str] = []
        search.get(_NOT_PUT_BACK, lambda: nullcontext(made)).append(name)


def not_put_back() -> str:
    """Return in brackets what may carry something over from one history to the next; "" where nothing is known."""
    search = world_resources.get()
    names: list[str] = [] if search is None else search.find(_NOT_PUT_BACK) or []
    return f" ({', '.join(dict.fromkeys(names))})" if names else ""
