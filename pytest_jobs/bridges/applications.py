"""The applications of a job library in this process (apps, brokers, schedulers), and a bridge to all of them."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ..errors import AmbiguousJobError, ApplicationError, DeclarationError
from ..harness.records.attributes import attributes_of, variables_of_modules
from .toolkit import CountedAttempts, M, S, T

#: An application, as the library calls it.
A = TypeVar("A")


class Applications(Generic[A]):
    """The applications of one library, in the order in which they are asked for a job by its name.

    Those that `jobs_apps` names come first, then those that have sent something in this harness, then those at the
    top of modules.
    """

    def __init__(
        self,
        named: Iterable[Any],
        kind: type[A],
        *,
        wanted: str,
        otherwise: str = "",
        tasks_of: Callable[[A], Mapping[str, Any]] = lambda _: {},
        of_tasks: tuple[type | tuple[()], str] = ((), ""),
    ) -> None:
        """Begin with the applications that `jobs_apps` names.

        Args:
            named: these applications.
            kind: their class.
            wanted: what an error says that each has to be, and what to name.
            otherwise: what errors call the applications when none is named.
            tasks_of: returns the tasks of an application by their names.
            of_tasks: the class of the tasks that modules have, and their attribute that is the application: a
                project may keep that in a dictionary.

        Raises:
            ApplicationError: when one of them is not an application.
        """
        self.named: tuple[A, ...] = tuple(named)
        self._kind = kind
        for each in self.named:
            if not isinstance(each, kind):
                raise ApplicationError(f"{each!r} is not {wanted}.")
        self._otherwise, self._tasks_of, self._of_tasks = otherwise, tasks_of, of_tasks
        #: Those that have sent something.
        self.senders: list[A] = []
        #: How many modules there were, and the applications in them.
        self._in_modules: tuple[int, tuple[A, ...]] = (0, ())

    def note(self, application: A) -> None:
        """Note an application that sends."""
        if all(application is not each for each in self.senders):
            self.senders.append(application)

    def forget(self) -> None:
        """Forget those that have sent something."""
        self.senders.clear()

    def ranked(self) -> Iterator[Sequence[A]]:
        """Yield the named applications, those that have sent, and those of modules."""
        yield self.named
        yield self.senders
        yield self.at_top()

    def at_top(self) -> Sequence[A]:
        """Return the applications of modules. Looking takes some 10 ms, so only for new modules."""
        if self._in_modules[0] != len(sys.modules):
            found = self._found_in_modules()
            self._in_modules = len(sys.modules), tuple(each for each, _ in found.values())
        return self._in_modules[1]

    def far(self, application: A) -> list[A]:
        """Return an application in a list if nobody has named or used it in this harness; else nothing.

        It is the end of a firing: see `FiresTasks`.
        """
        near = any(application is each for each in (*self.named, *self.senders))
        return [] if near else [application]

    def every(self) -> list[A]:
        """Return all applications, each once."""
        found = {id(each): each for applications in self.ranked() for each in applications}
        return list(found.values())

    def names(self) -> set[str]:
        """Return the names of all tasks."""
        return {name for each in self.every() for name in self._tasks_of(each)}

    def is_one(self, kinds: tuple[type, ...]) -> bool:
        """Say by the type of an object, and the bases of this type, whether it is an application.

        It is not given the object, since a lazy object may load its library when it is asked for its class.
        """
        return self._kind in kinds

    def find(self, name: str) -> Any:
        """Return the task with a name that the nearest applications have; None when none has it.

        Raises:
            AmbiguousJobError: when two applications that are asked together have tasks of it.
        """
        for applications in self.ranked():
            tasks = [
                (each, task)
                for each in applications
                if (task := self._tasks_of(each).get(name)) is not None
            ]
            if len({id(task) for _, task in tasks}) > 1:
                having = " and ".join(repr(each) for each, _ in tasks)
                raise AmbiguousJobError(
                    f"{name!r} names a task of each of {having}, so it can mean any of them: name the task object."
                )
            if tasks:
                return tasks[0][1]
        return None

    def only(self) -> A | None:
        """Return the application, where the first who would be asked is the only one."""
        first = next((applications for applications in self.ranked() if applications), ())
        return first[0] if len(first) == 1 else None

    def described(self) -> str:
        """Return where the applications are that are known, as `jobs_apps` would name them."""
        found = self._found_in_modules()
        named = {id(each) for each in self.named}
        # Sorting keeps the order of those that are alike.
        paths = [_path(found[key][1]) for key in sorted(found, key=lambda key: key not in named)]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{paths[0]}{more}; nothing is contacted" if paths else "nothing is contacted"

    def _found_in_modules(self) -> dict[int, tuple[A, list[tuple[ModuleType, str]]]]:
        """Return the applications that are variables of modules, each with these variables, by their ids.

        One that no module has is found by the tasks that modules have.
        """
        found: dict[int, tuple[A, list[tuple[ModuleType, str]]]] = {}
        task, attribute = self._of_tasks
        wanted = variables_of_modules(
            lambda kind: self.is_one(kind.__mro__) or issubclass(kind, task)
        )
        by_task = []
        for _, module, name, value in wanted:
            if self.is_one(type(value).__mro__):
                found.setdefault(id(value), (value, []))[1].append((module, name))
            else:
                by_task.append((module, f"{name}.{attribute}", attributes_of(value)[attribute]))
        for module, name, value in by_task:
            found.setdefault(id(value), (value, [(module, name)]))
        return found

    def __str__(self) -> str:
        return " and ".join(map(repr, self.named)) or self._otherwise


class _Known(Protocol):
    """What an `ApplicationBridge` asks of the applications: `Applications`, or another order of them."""

    def names(self) -> Collection[str]: ...

    def described(self) -> str: ...


#: The applications of a library.
K = TypeVar("K", bound=_Known)


class ApplicationBridge(CountedAttempts[T, M, S], Generic[K, T, M, S]):
    """A bridge to a library whose applications have tasks by names, and by whose names other services enqueue."""

    #: What errors say of a task of another service, with "{}" for the applications, and what declares one here.
    elsewhere: ClassVar[tuple[str, str]]

    def __init__(self, version: str, applications: K) -> None:
        """Prepare a bridge.

        Args:
            version: the installed version of the library.
            applications: those that are asked for a task that a test names by its name.
        """
        super().__init__()
        self.version, self.applications = version, applications
        #: The names under which something was sent, some of them of tasks of other services.
        self.sent_names: set[str] = set()

    def __str__(self) -> str:
        return str(self.applications)

    def described(self) -> str:
        return self.applications.described()

    def _kept(self) -> S:
        """Return the store.

        Raises:
            NoHarnessError: when no harness is open.
        """
        self.sink  # noqa: B018 - raises then
        return self.store

    def identify(self, job: object) -> str | None:
        """Return the name of a task, or a name under which something was sent."""
        name = super().identify(job)
        return job if name is None and isinstance(job, str) and job in self.sent_names else name

    def known_names(self) -> Collection[str]:
        return self.applications.names()

    def unknown(self, job: object) -> Exception:
        if self.identify(job) is None:
            return super().unknown(job)
        where, declaring = self.elsewhere
        return DeclarationError(
            f"{job!r} {where.format(self)}, so there is no function to look at: import the module that "
            f"{declaring}, or name what this service declares."
        )


def _path(variables: Sequence[tuple[ModuleType, str]]) -> str:
    """Return the variable of the module that made an object, as `jobs_apps` would name it."""
    module, name = next((each for each in variables if _is_made_in(*each)), variables[0])
    return f"{module.__name__}:{name}"


def _is_made_in(module: ModuleType, name: str) -> bool:
    """Say whether the code of a module gives a variable its value, and does not import it."""
    loader: Any = getattr(getattr(module, "__spec__", None), "loader", None)
    try:
        # The loader of pytest, which rewrites assertions, has no code to show.
        code = loader.get_code(module.__name__)
    except (AttributeError, ImportError, OSError, SyntaxError):
        return False
    return code is not None and any(
        after.opname == "STORE_NAME" and after.argval == name and before.opname != "IMPORT_FROM"
        for before, after in pairwise(dis.get_instructions(code))
    )
