"""Mocks of `unittest.mock` in the place of a job, or of the method that enqueues it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, Final

from ...core.foundation.vocabulary import ENQUEUES
from .attributes import attributes_of, is_one_of
from .patches import Patches
from .texts import shortened

#: The modules of the mocks: of Python, and of the package that has newer ones for older Pythons.
_MODULES: Final = frozenset(("unittest.mock", "mock", "mock.mock"))
#: The methods with which an application enqueues a job.
_METHODS: Final = (
    "perform_later",
    *ENQUEUES,
    "aenqueue",
    "apply_async_on_commit",
    "delay_on_commit",
    "kicker",
)
_WIDTH: Final = 60
_NAME = re.compile(r"name='([^']*)'")


def mock_of(value: object) -> Any:
    """Return the mock that a value is, or that an autospecced function calls; None for anything else."""
    if "unittest.mock" not in sys.modules:
        return None
    value = getattr(value, "__func__", value)
    if isinstance(value, FunctionType):
        value = vars(value).get("mock")
    # Not isinstance: a mock with a specification is an instance of that.
    known = any(
        base.__name__ == "NonCallableMock" and base.__module__ in _MODULES
        for base in type(value).__mro__
    )
    return value if known else None


def swallowing_mock_of(value: object) -> Any:
    """Return the mock that a value is; None as well for a mock that passes calls on, as a spy does."""
    mock = mock_of(value)
    if mock is None or vars(mock).get("_mock_wraps") is not None:
        return None
    effect = getattr(mock, "side_effect", None)
    passes_on = callable(effect) and not isinstance(effect, type)
    return None if passes_on and mock_of(effect) is None else mock


def raises(mock: Any) -> bool:
    """Return whether a mock was told to raise, as for a broker that is down."""
    effect = getattr(mock, "side_effect", None)
    return isinstance(effect, BaseException) or (
        isinstance(effect, type) and issubclass(effect, BaseException)
    )


def mock_text(mock: Any) -> str:
    """Return a mock in words, with what it was called with: `a MagicMock that was called once with (7)`."""
    kind = type(mock).__name__
    text = f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    calls = [str(call).removeprefix("call") for call in mock.mock_calls]
    if not calls:
        return text
    times = "once" if len(calls) == 1 else f"{len(calls)} times, last"
    how = "as" if calls[-1].startswith(".") else "with"
    return f"{text} that was called {times} {how} {shortened(calls[-1], _WIDTH)}"


def mock_name(mock: Any) -> str:
    """Return the name that a mock was given, in parentheses and with a blank before; empty without one."""
    found = _NAME.search(repr(mock))
    return f" ({found[1]})" if found else ""


def classes_of(job: Any) -> tuple[type, ...]:
    """Return a job that is a class, or the class of one that is none, with its bases."""
    # The class that it gives, since that of a proxy of Celery is not its type.
    classes: tuple[type, ...] = (job if isinstance(job, type) else job.__class__).__mro__
    return classes


def mocked_methods(job: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each method of a job that a mock stands for, and the mock."""
    if "unittest.mock" not in sys.modules:
        return
    spaces = _spaces_of(job)
    for name in _METHODS:
        value = next((space[name] for space in spaces if name in space), None)
        if value is not None and (mock := swallowing_mock_of(value)) is not None:
            yield name, mock


def owners_of(job: Any) -> list[Any]:
    """Return a job, and what it has of its library, such as an application of Celery: a mock may stand in each."""
    packages = _packages_of(classes_of(job))
    had = (value for space in _spaces_of(job) for value in space.values())
    return [job, *(value for value in had if packages & _packages_of(type(value).__mro__))]


def _spaces_of(job: Any) -> list[Mapping[str, Any]]:
    """Return the attributes of a job itself, and those of its classes."""
    return [getattr(job, "__dict__", {}), *map(vars, classes_of(job))]


def _packages_of(kinds: Iterable[type]) -> set[str]:
    # A class may have something else in the place of its module, such as a property for its objects.
    return {str(kind.__module__).partition(".")[0] for kind in kinds} - {"builtins"}


@contextmanager
def unmocked(owners: Iterable[Any]) -> Generator[None, None, None]:
    """Let a block call the methods of classes, although a test has put mocks on their objects."""
    with Patches() as patches:
        for owner in owners:
            for name, value in [*getattr(owner, "__dict__", {}).items()]:
                method = getattr(owner.__class__, name, None)
                if callable(method) and swallowing_mock_of(value) is not None:
                    patches.set(owner, name, method.__get__(owner))
        yield


class SwallowedCalls:
    """The mocks that stood for what enqueues a job while a harness was open, and are gone.

    An assertion after `with patch.object(pay, "delay"):` would not know that the job was asked for.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        #: What had the mock, the name of the method, and the mock.
        self._found: list[tuple[Any, str, Any]] = []

    def note(self, owner: Any, name: str) -> None:
        """Note what a patch that ends has in its place, if that has swallowed a call."""
        # By `getattr`, as the patch looks: the owner may be a proxy, such as a task of Celery.
        mock = swallowing_mock_of(getattr(owner, name, None))
        if mock is not None and mock.mock_calls and not raises(mock):
            self._found.append((owner, name, mock))

    def of(self, is_meant: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
        """Yield the name of each method that a mock stood for, and the mock.

        Args:
            is_meant: returns whether what had the mock is what is asked about: `patch("shop.mail.send")` is about
                no job.
        """
        return ((name, mock) for owner, name, mock in self._found if is_meant(owner))


class EndsOfPatches:
    """Hears when a patch of a method that enqueues ends. It is in force while somebody uses it."""

    def __init__(self, hear: Callable[[Any, str], object]) -> None:
        """Hear of nothing yet.

        Args:
            hear: gets what has the method, and its name, while the mock is still there.
        """
        self._hear = hear
        self._patches = Patches()
        self._users = 0

    def enter(self) -> None:
        self._users += 1
        kind: Any = getattr(sys.modules.get("unittest.mock"), "_patch", None)
        if kind is None or self._patches:
            return
        leave = kind.__exit__

        def left(patch: Any, *error: Any) -> Any:
            if patch.attribute in _METHODS:
                self._hear(patch.target, patch.attribute)
            return leave(patch, *error)

        self._patches.set(kind, "__exit__", left)

    def leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._patches.restore()


def mocks_named(name: str) -> Iterator[tuple[str, Any]]:
    """Yield where a loaded module has a mock under a name, as in `shop.views.send_receipt`, and the mock."""
    if "unittest.mock" not in sys.modules:
        return
    loaded: list[tuple[str, object]] = [*sys.modules.items()]
    for module_name, module in loaded:
        # The libraries of cffi say of themselves that they are modules, and have no `__dict__`.
        if not is_one_of((ModuleType,), module):
            continue
        # A module that is loaded when it is first used stays unloaded.
        value = attributes_of(module).get(name)
        if value is not None and (mock := swallowing_mock_of(value)) is not None:
            yield f"{module_name}.{name}", mock
