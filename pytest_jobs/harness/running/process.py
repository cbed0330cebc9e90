"""The process of a worker: what a delivery begins with besides its message.

A worker is another process. Nothing that the body of a test, a request or an earlier job has put into a context
variable is there: no tenant, no language that `translation.activate` has chosen, no context of a trace, unless the
message brings it along. What fixtures and `setUp` have set up stays, as what a worker sets up when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, Generic, TypeVar, cast

T = TypeVar("T")

#: Begins the names of our own variables: what a verb, or a check, says to the deliveries that it makes.
_OURS: Final = "pytest_jobs_"
_ABSENT: Final = object()


class Process:
    """The context variables of the process that performs the jobs, and what surrounds each delivery."""

    __slots__ = ("_context", "surrounding")

    def __init__(
        self,
        context: Context | None = None,
        surrounding: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        """Set a process up.

        Args:
            context: its variables; None for those that are set now.
            surrounding: returns what is entered around each delivery, such as the context of a Flask application;
                None for nothing.
        """
        self._context = copy_context() if context is None else context
        self.surrounding = surrounding

    def begin(self) -> Context:
        """Return the context of one delivery, which ends with it."""
        here = copy_context()
        try:
            if here == self._context:
                # Nobody has set anything since, as in most tests. A look at each variable takes as long as a job.
                return here
        except Exception:  # noqa: S110 - a value has a comparison of its own, which fails
            pass
        context = self._context.copy()
        ours = [each for each in here.items() if each[0].name.startswith(_OURS)]
        if ours:
            context.run(_put, ours)
        return context

    def with_changes(self, before: Context, after: Context) -> Process:
        """Return a process that has also what was set between two moments, such as by a world that was built."""
        context = self._context.copy()
        changed = [
            (each, after[each]) for each in after if before.get(each, _ABSENT) is not after[each]
        ]
        context.run(_put, changed)
        return Process(context, self.surrounding)

    def missing(self, here: Context) -> list[str]:
        """Return the names of what is set here and not in the process, for the text of an error."""
        kept = self._context
        return sorted(
            each.name
            for each in here
            if not each.name.startswith(_OURS) and kept.get(each, _ABSENT) is not here[each]
        )


def _put(values: list[tuple[ContextVar[Any], Any]]) -> None:
    for variable, value in values:
        variable.set(value)


@contextmanager
def noting_set_up(case: Any, note: Callable[[], object]) -> Generator[None, None, None]:
    """Call a function whenever a test case has set itself up, for a block.

    Args:
        case: the instance of a `unittest.TestCase`.
        note: is called in the context of the test.
    """
    set_up = case.setUp

    def and_note() -> None:
        set_up()
        note()

    case.setUp = and_note
    asynchronous = getattr(case, "asyncSetUp", None)
    if asynchronous is not None:

        async def and_note_it() -> None:
            await asynchronous()
            note()

        case.asyncSetUp = and_note_it
    try:
        yield
    finally:
        vars(case).pop("setUp", None)
        vars(case).pop("asyncSetUp", None)


class InContext(Generic[T]):
    """Awaits a coroutine in the running task, with each step in another context.

    A task of its own would take another turn of the loop, and `current_task`, timeouts and cancel scopes of the
    test would be others.
    """

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, T]) -> None:
        self._context = context
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        run, coroutine = self._context.run, self._coroutine
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                awaited = (
                    run(coroutine.send, sent) if error is None else run(coroutine.throw, error)
                )
            except StopIteration as ended:
                return cast(T, ended.value)
            error = None
            try:
                sent = yield awaited
            except BaseException as raised:
                error = raised
