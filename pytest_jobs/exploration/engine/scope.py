"""Which code is explored line by line."""

from __future__ import annotations

import fnmatch
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from ...errors import ExplorationError
from .processes import file_of, modules_of


class Scopes:
    """What the scope of any of several jobs wants."""

    def __init__(
        self, world: Callable[..., Any], trace: object = None, atomic: Iterable[object] = ()
    ) -> None:
        """Begin with no job.

        Args:
            world: what builds the world.
            trace: modules, functions or classes that count instead of the default; None for it.
            atomic: modules, functions or classes that are one step.
        """
        self._world = world
        self._trace = trace
        self._atomic = atomic
        self._scopes: dict[object, Scope] = {}
        self._fakes: dict[type, object] = {}

    def add(self, body: Callable[..., Any]) -> None:
        """Take in a job, by the function that runs as it."""
        if body not in self._scopes:
            self._scopes[body] = scope = Scope(body, self._world, self._trace, self._atomic)
            for fake in self._fakes.values():
                scope.leave_out(fake)

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of a function are points."""
        return any(scope.wants(code) for scope in self._all())

    def is_of_project(self, code: CodeType) -> bool:
        """Say whether it is code of the project: not installed, and not ours."""
        return any(scope.is_of_project(code) for scope in self._all())

    def passed_over(self, code: CodeType) -> None:
        """Take note of a function that runs in a delivery and counts for no job."""
        for scope in self._all():
            scope.passed_over(code)

    def leave_out(self, fake: object) -> None:
        """Let the methods of a fake not count."""
        self._fakes.setdefault(type(fake), fake)
        for scope in self._all():
            scope.leave_out(fake)

    def loaded_modules(self) -> list[ModuleType]:
        """Return the modules whose code may count, whether it has run or not."""
        found = (module for scope in self._all() for module in scope.loaded_modules())
        return list(dict.fromkeys(found))

    def _all(self) -> Iterator[Scope]:
        # A copy, since a job that is enqueued meanwhile comes in.
        return iter(tuple(self._scopes.values()))


_LOCKING: Final = frozenset(("acquire", "Lock", "RLock", "Semaphore", "Condition", "local"))
_TESTS: Final = ("test_*.py", "*_test.py", "conftest.py")
_INSTALLED: Final = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OURS: Final = f"{Path(__file__).resolve().parents[2]}{os.sep}"
_ELSEWHERE: Final = (*_INSTALLED, _OURS)


#: Called with each stand-in of the world, whose lines do not count.
leaving_out: ContextVar[Callable[[object], None] | None] = ContextVar(
    "pytest_jobs_leaving_out", default=None
)


class Scope:
    """Says of code whether its lines are points.

    By default the code of the project counts: neither tests, nor the world, nor its fakes, nor what
    is installed. Where the job lives in the module of the test, the functions of that module count,
    except tests and the world.
    """

    def __init__(
        self,
        body: Callable[..., Any],
        world: Callable[..., Any],
        trace: object = None,
        atomic: Iterable[object] = (),
    ) -> None:
        """Decide what counts.

        Args:
            body: the function that runs as the job.
            world: what builds the world.
            trace: modules, functions or classes that count instead of the default; None for it.
            atomic: modules, functions or classes that are one step.
        """
        self._home = os.path.realpath(_code(body).co_filename)
        self._body = _code(body)
        self._traced = None if trace is None else _Parts(_several(trace), "trace")
        self._atomic = _Parts(_several(atomic), "atomic")
        self._world = (_code(world).co_filename, _world_name(world))
        self._fakes: set[CodeType] = set()
        self._left_out: set[object] = set()
        # By identity, since to hash the code of a function takes long.
        self._decided: dict[int, tuple[bool, CodeType]] = {}
        self._passed_over: dict[str, None] = {}
        self._real: dict[str, str] = {}
        self._modules: list[ModuleType] = []
        self._modules_of = (-1, -1)
        self._files: set[str] = set()

    def leave_out(self, fake: object) -> None:
        """Let a function, or the methods of a fake, not count."""
        own = getattr(fake, "__code__", None)
        known = own or type(fake)
        if known in self._left_out:
            return
        self._left_out.add(known)
        codes = [*_codes_of(type(fake)), own]
        for code in codes:
            if code is not None:
                self._fakes.add(code)
                self._decided.pop(id(code), None)

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of a function are points."""
        decided = self._decided.get(id(code))
        if decided is None:
            decided = self._decided[id(code)] = (self._decide(code), code)
            if decided[0]:
                self._files.add(code.co_filename)
        return decided[0]

    def untraced(self) -> tuple[str, ...]:
        """Return the functions of the project that ran in a delivery and do not count."""
        return tuple(self._passed_over)

    def is_of_project(self, code: CodeType) -> bool:
        """Say whether it is code of the project: not installed, and not ours."""
        return self._is_of_project(code.co_filename)

    def passed_over(self, code: CodeType) -> None:
        """Take note of a function that runs in a delivery and does not count."""
        filename = self._real_path(code.co_filename)
        outermost = (code.co_filename, code.co_qualname.partition(".")[0])
        if (
            code in self._fakes
            or outermost == self._world
            or self._atomic.have(code)
            or not self._is_of_project(filename)
            or code.co_name == "<module>"
        ):
            return
        self._passed_over[f"{Path(filename).name}: {code.co_qualname}"] = None

    def modules(self) -> list[ModuleType]:
        """Return the modules of the code that has run and counts."""
        state = (len(self._files), len(sys.modules))
        if self._modules_of != state:
            self._modules = modules_of(self._files)
            self._modules_of = state
        return self._modules

    def may_wait(self) -> bool:
        """Say whether the code that counts may take a lock, or keep something for each thread."""
        return any(wanted and _may_wait(code) for wanted, code in list(self._decided.values()))

    def loaded_modules(self) -> list[ModuleType]:
        """Return the modules whose code may count, whether it has run or not."""
        named = self._traced.files() if self._traced is not None else set()
        return [
            module
            for module in list(sys.modules.values())
            if isinstance(module, ModuleType)
            and ((file := file_of(module)) in named or self._may_count(file))
        ]

    def _may_count(self, file: str) -> bool:
        if not file or not self._is_of_project(file):
            return False
        filename = self._real_path(file)
        return filename == self._home or not _is_test(filename)

    def _decide(self, code: CodeType) -> bool:
        if self._traced is None and not self._is_of_project(code.co_filename):
            return False
        if code in self._fakes or self._atomic.have(code):
            return False
        if self._traced is not None:
            return self._traced.have(code) or code is self._body
        filename = self._real_path(code.co_filename)
        outermost = (code.co_filename, code.co_qualname.partition(".")[0])
        if outermost == self._world and code is not self._body:
            return False
        if not _is_test(filename):
            return True
        return (
            filename == self._home
            and code.co_name != "<module>"
            and not code.co_name.startswith("test_")
        )

    def _is_of_project(self, filename: str) -> bool:
        """Say whether a file is one of the project; most that are not are known by how they are written."""
        if filename.startswith(_ELSEWHERE):
            return False
        real = self._real_path(filename)
        return bool(real) and not real.startswith(_ELSEWHERE)

    def _real_path(self, filename: str) -> str:
        """Return where a file really is; "" when there is none."""
        real = self._real.get(filename)
        if real is None:
            path = os.path.realpath(filename)
            self._real[filename] = real = path if Path(path).is_file() else ""
        return real


def _may_wait(code: CodeType) -> bool:
    import dis

    if _LOCKING.intersection((*code.co_names, *code.co_freevars)):
        return True
    return any(
        "_WITH" in step.opname or "SPECIAL" in step.opname for step in dis.get_instructions(code)
    )


class _Parts:
    """Modules, functions and classes that were named."""

    def __init__(self, parts: Iterable[object], argument: str) -> None:
        self._files: set[str] = set()
        self._codes: set[CodeType] = set()
        for part in parts:
            if isinstance(part, ModuleType):
                self._files.add(os.path.realpath(part.__file__ or ""))
            elif isinstance(part, type):
                self._codes.update(_codes_of(part))
            elif callable(part):
                self._codes.add(_code(part))
            else:
                raise ExplorationError(
                    f"{argument}= names {part!r}, which is no module, function or class."
                )

    def files(self) -> set[str]:
        """Return the files of the modules, and those in which the functions are."""
        return self._files | {code.co_filename for code in self._codes}

    def have(self, code: CodeType) -> bool:
        """Say whether code belongs to them."""
        if code in self._codes:
            return True
        return bool(self._files) and os.path.realpath(code.co_filename) in self._files


def _several(parts: object) -> Iterable[object]:
    return parts if isinstance(parts, list | tuple | set | frozenset) else (parts,)


def _code(function: Any) -> CodeType:
    while isinstance(function, partial):
        function = function.func
    unwrapped: Any = inspect.unwrap(function)
    code = getattr(getattr(unwrapped, "__func__", unwrapped), "__code__", None)
    if code is None:
        code = getattr(type(unwrapped).__call__, "__code__", None)
    if code is None:
        raise ExplorationError(f"{function!r} is not written in Python, so it has no lines.")
    return code  # type: ignore[no-any-return]


def _codes_of(defined: type) -> Iterator[CodeType]:
    for base in defined.__mro__:
        for value in vars(base).values():
            function = inspect.unwrap(getattr(value, "__func__", value))
            code = getattr(function, "__code__", None)
            if isinstance(code, CodeType):
                yield code


def _world_name(world: Callable[..., Any]) -> str:
    return _code(world).co_qualname.partition(".")[0]


def _is_test(filename: str) -> bool:
    name = Path(filename).name
    return any(fnmatch.fnmatch(name, pattern) for pattern in _TESTS)
