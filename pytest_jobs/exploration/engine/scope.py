"""Which code is traced line by line."""

from __future__ import annotations

import dis
import inspect
import linecache
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from operator import is_
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final

from ...errors import ExplorationError
from ...harness.records.attributes import identity, is_one_of, without_partials
from ...harness.records.home import INSTALLED, is_of_project, is_test_file, modules_named_in
from .memory.places import Namespace

#: The operations that begin a `with` block.
_ENTERING: Final = frozenset(
    operation for name, operation in dis.opmap.items() if "_WITH" in name or "SPECIAL" in name
)
_IMPORTING: Final = dis.opmap["IMPORT_NAME"]
#: How tests call a class that stands for another one.
STAND_INS: Final = "Fake|Stub|Mock|Spy|Dummy|Recording|InMemory"
#: Words in the names of what stands for something else.
_STANDS_IN: Final = re.compile(
    r"(?<![A-Za-z])(tests?|testing|fakes?|stubs?|mocks?|doubles?|spy|dummy|dummies)(?![a-z])"
    rf"|({STAND_INS}|Double)(?![a-z])"
)
_LOCKING: Final = frozenset(("acquire", "Lock", "RLock", "Semaphore", "Condition", "local"))
_PACKAGES: Final = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("purelib", "platlib")
)
_OURS: Final = f"{Path(__file__).resolve().parents[2]}{os.sep}"
_ELSEWHERE: Final = (*INSTALLED, _OURS)
#: The frames of a delivery end where one of this file begins.
_WATCHING: Final = str(Path(__file__).with_name("watching.py"))

#: Methods that make data, and compare and show it.
_OF_DATA: Final = frozenset(
    ("__init__", "__post_init__", "__new__", "__eq__", "__hash__", "__lt__", "__repr__", "__str__")
)

#: Called by a world with each of its stand-ins, whose code is not traced.
leaving_out: ContextVar[Callable[[object], None] | None] = ContextVar(
    "pytest_jobs_leaving_out", default=None
)


def _has_only_data(kind: type) -> bool:
    """Return whether the project has written no method of a class, beside those that make and compare its data."""
    return not any(
        is_of_project(getattr(inspect.unwrap(function), "__code__", function.__code__).co_filename)
        for base in kind.__mro__
        for name, function in list(vars(base).items())
        if name not in _OF_DATA and is_one_of((FunctionType,), function)
    )


class Scope:
    """Decides whether the lines of some code are crash points.

    By default the code of the project counts, without tests, the world, the fakes of the world and
    installed packages. If a job is defined in a test module, the functions of that module count too,
    except its tests and the world. The file of a job counts wherever it lies: in an installed package, in
    a zip, or nowhere, as the code of a notebook or of `exec`.
    """

    def __init__(
        self, world: Callable[..., Any] | None, trace: object, atomic: Iterable[object]
    ) -> None:
        """Begin without jobs.

        Args:
            world: the function that builds the world; None if there is none.
            trace: modules, functions or classes that count instead of the default; None for the default.
            atomic: modules, functions or classes that are one step.
        """
        self._bodies: set[CodeType] = set()
        #: The files in which the jobs are defined.
        self._homes: set[str] = set()
        #: The installed packages and the zips of those files, whose other code is named if it ran.
        self._neighbours: tuple[str, ...] = ()
        #: The globals of the jobs, by their identity: those of generated code belong to no file.
        self._globals: dict[int, Namespace] = {}
        self._traced = None if trace is None else _Parts(_several(trace), "trace")
        self._atomic = _Parts(_several(atomic), "atomic")
        self._world: tuple[str, str] | None = None
        #: The file of the world, and how the names of the functions begin that are defined in it.
        self._inside_world: tuple[str, str] | None = None
        #: Whether such a function has run in a delivery.
        self.world_runs = False
        if world is not None:
            code = _code(world)
            self._world = _outermost(code)
            # The world may be an object with a method `__call__`, and put its other methods in place.
            own = code.co_qualname.removesuffix("__call__")
            self._inside_world = (
                code.co_filename,
                f"{own}{'' if own.endswith('.') else '.<locals>.'}",
            )
        #: Whether files are of tests, of those that were asked about.
        self._of_tests: dict[str, bool] = {}
        self._fakes: set[CodeType] = set()
        #: Whether files beside the project have what only tests use, of those that were asked about.
        self._helpers: dict[str, bool] = {}
        #: The folders of tests that have the running test.
        self.folders_of_tests: tuple[str, ...] = ()
        #: Whether code stands for the outside, of that which was asked about.
        self._outside: dict[int, tuple[bool, CodeType]] = {}
        self._left_out: set[object] = set()
        # By identity, since hashing a code object is slow.
        self._decided: dict[int, tuple[bool, CodeType]] = {}
        #: Traced code that was not asked yet whether it may take a lock.
        self._unasked: list[CodeType] = []
        #: Of the other traced code, what may do so, by its identity.
        self._waiting: set[int] = set()
        self._untraced: dict[str, None] = {}
        self._names = _Names()
        self._modules: list[Namespace] = []
        self._modules_of = (-1, -1, -1, -1)
        #: What `loaded_modules` has found, and among what.
        self._found: (
            tuple[Mapping[str, Sequence[ModuleType]], tuple[int, int], list[Namespace]] | None
        ) = None
        self._files: set[str] = set()

    def add(self, body: Callable[..., Any]) -> None:
        """Add the function that runs as a job, which is written in Python."""
        code = _code(body)
        if code in self._bodies:
            return
        self._bodies.add(code)
        self._homes |= {code.co_filename, os.path.realpath(code.co_filename)}
        self._neighbours = (*self._neighbours, *_neighbours(code.co_filename))
        namespace = getattr(_function(body), "__globals__", None)
        if namespace is not None:
            self._add_globals(code, namespace)
        self._decided.clear()
        self._outside.clear()
        self._unasked.clear()
        self._waiting.clear()

    def _add_globals(self, code: CodeType, namespace: dict[str, Any]) -> None:
        # Only a loader knows the source of a module in a zip.
        linecache.lazycache(code.co_filename, namespace)
        module = sys.modules.get(str(namespace.get("__name__")))
        is_its_module = module is not None and vars(module) is namespace
        self._globals[identity(namespace)] = (
            module if module is not None and is_its_module else LooseGlobals(namespace)
        )
        if _real_path(code.co_filename):
            return
        # Each cell of a notebook is a file of its own, and the helpers of a job lie in other cells.
        for value in list(namespace.values()):
            if getattr(value, "__globals__", None) is namespace:
                filename = value.__code__.co_filename
                if not _real_path(filename):
                    self._homes.add(filename)

    def is_installed(self, body: Callable[..., Any]) -> bool:
        """Return whether a function lies in an installed package, so that its lines count only if it is a job."""
        return _real_path(_code(body).co_filename).startswith(INSTALLED)

    def is_of_tests(self, file: str) -> bool:
        """Return whether a file is a test or a conftest file."""
        known = self._of_tests.get(file)
        if known is None:
            known = self._of_tests[file] = is_test_file(_real_path(file))
        return known

    def leave_out(self, fake: object) -> None:
        """Do not trace a function, a generator, or the methods of an object or a class."""
        own = getattr(getattr(fake, "__func__", fake), "__code__", None)
        own = own or getattr(fake, "gi_code", None)
        kind = fake if isinstance(fake, type) else type(fake)
        known = own or kind
        if known in self._left_out:
            return
        self._left_out.add(known)
        for code in (*_codes_of(kind), own):
            if code is not None:
                self._fakes.add(code)
                self._decided.pop(identity(code), None)
                self._outside.pop(identity(code), None)
                self._waiting.discard(identity(code))

    def leaves_out(self, kind: type) -> bool:
        """Return whether an object of a class is one of the fakes."""
        return kind in self._left_out

    def wants(self, code: CodeType) -> bool:
        """Return whether the lines of a function are points."""
        decided = self._decided.get(identity(code))
        if decided is None:
            decided = self._decided[identity(code)] = (self._decide(code), code)
            if decided[0]:
                self._files.add(code.co_filename)
                self._unasked.append(code)
                self._names.add(code)
        return decided[0]

    def stands_outside(self, code: CodeType) -> bool:
        """Return whether code is of the test, so that it stands for the outside where the project calls it."""
        key = identity(code)
        known = self._outside.get(key)
        if known is None:
            known = self._outside[key] = (self._is_outside(code), code)
        return known[0]

    def _is_outside(self, code: CodeType) -> bool:
        if code in self._bodies or code in self._fakes or self._atomic.have(code):
            return False
        if code.co_name == "<module>" or _outermost(code) == self._world:
            return self._is_inside_world(code)
        filename = code.co_filename
        if not self._is_file_of_project(filename):
            return False
        return not self.wants(code) and (
            self.is_of_tests(filename) or self._lies_beside_test(filename)
        )

    def is_double(self, kind: type) -> bool:
        """Return whether a class is of the test, and more than data, so that its objects stand for the outside."""
        module = sys.modules.get(kind.__module__)
        file = "" if module is None else file_of(module)
        if not file or file in self._homes:
            return False
        is_of_test = self.is_of_tests(file) or self._lies_beside_test(file)
        return is_of_test and not _has_only_data(kind)

    def _lies_beside_test(self, filename: str) -> bool:
        """Return whether a file has what only tests use.

        It lies in the folder of the tests that run, and not with jobs of theirs, or beside the project, where
        no module of it names one that says by its names that it stands for others. What the file of a job
        imports is of the project, wherever it lies.
        """
        if filename in self._homes:
            return False
        if not filename.startswith(self.folders_of_tests):
            return self._stands_beside_project(filename)
        if Path(filename).parent in {Path(home).parent for home in self._homes}:
            return False
        modules = {module.__name__ for module in _loaded.by_file().get(filename, ())}
        return modules.isdisjoint(
            getattr(value, "__name__" if is_one_of((ModuleType,), value) else "__module__", "")
            for home in self._homes
            for module in _loaded.by_file().get(home, ())
            for value in vars(module).values()
            if is_one_of((ModuleType, FunctionType, type), value)
        )

    def _stands_beside_project(self, filename: str) -> bool:
        known = self._helpers.get(filename)
        if known is None:
            known = self._helpers[filename] = any(
                _says_it_stands_in(module) and not self._is_named_by_project(module)
                for module in _loaded.near().get(filename, ())
            )
        return known

    def _is_named_by_project(self, wanted: ModuleType) -> bool:
        return any(
            found is wanted
            for file, modules in _loaded.near().items()
            if not self.is_of_tests(file)
            for module in modules
            # Python puts each module of a package into it.
            if not f"{wanted.__name__}.".startswith(f"{module.__name__}.")
            for found in modules_named_in(module)
        )

    def untraced(self) -> tuple[str, ...]:
        """Return the functions of the project that ran in a delivery and are not traced."""
        return tuple(self._untraced)

    @contextmanager
    def noting_nothing(self) -> Generator[None, None, None]:
        """Let functions run that are not of the job, such as recurring tasks."""
        before = dict(self._untraced)
        try:
            yield
        finally:
            self._untraced = before

    def is_of_project(self, code: CodeType) -> bool:
        """Return whether code belongs to the project, or lies in the installed package of a job."""
        filename = code.co_filename
        return self._is_file_of_project(filename) or filename.startswith(self._neighbours)

    def owns(self, kind: type) -> bool:
        """Return whether a class belongs to the project. One of which no file is known does."""
        module = sys.modules.get(kind.__module__)
        file = "" if module is None else file_of(module)
        if not file:
            return kind.__module__.partition(".")[0] not in sys.stdlib_module_names
        return self._is_file_of_project(file) or file.startswith(self._neighbours)

    def is_below_world(self) -> bool:
        """Return whether the line that is about to run was called by a function that the world defines."""
        # The two frames above are those of the watch and of the tracer. Below a watch is another delivery.
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename != _WATCHING:
            if self._is_inside_world(frame.f_code):
                return True
            frame = frame.f_back
        return False

    def note_untraced(self, code: CodeType) -> None:
        if self._is_inside_world(code):
            self.world_runs = True
        if (
            code in self._fakes
            or _outermost(code) == self._world
            or self._atomic.have(code)
            or not self.is_of_project(code)
            or code.co_name == "<module>"
        ):
            return
        self._untraced[f"{Path(code.co_filename).name}: {code.co_qualname}"] = None

    def modules(self) -> list[Namespace]:
        """Return the modules that the traced code has used so far: see `_used`."""
        state = (len(self._files), len(sys.modules), len(self._globals), len(self._names))
        if self._modules_of != state:
            self._modules = self._used()
            self._modules_of = state
        return self._modules

    def _used(self) -> list[Namespace]:
        """Return the modules that have run, modules of the project that their code names, and generated globals.

        A module that has no code but classes and values, such as one of settings, never runs in a delivery. A job
        keeps things in it all the same.
        """
        used: dict[int, Namespace] = {}
        loaded = _loaded.by_file()
        for module in (module for file in self._files for module in loaded.get(file, ())):
            used[identity(vars(module))] = module
        used |= {key: found for key, found in self._globals.items() if key not in used}
        known = {identity(vars(module)): module for module in self.loaded_modules()}
        waiting = list(used.values())
        while waiting:
            for named in self._names.modules_named_in(vars(waiting.pop())):
                key = identity(vars(named))
                if key in known and key not in used:
                    used[key] = known[key]
                    waiting.append(known[key])
        return list(used.values())

    def may_wait(self) -> bool:
        """Return whether the traced code may take a lock, or keep something for each thread."""
        while self._unasked:
            code = self._unasked.pop()
            names = (*code.co_names, *code.co_freevars)
            # Each operation has two bytes, and those of caches are zero.
            enters = not _ENTERING.isdisjoint(code.co_code[::2])
            if self.wants(code) and (enters or not _LOCKING.isdisjoint(names)):
                self._waiting.add(identity(code))
        return bool(self._waiting)

    def loaded_modules(self) -> list[Namespace]:
        """Return the modules whose code may be traced, whether it has run or not."""
        loaded, asked = _loaded.by_file(), (len(self._homes), len(self._globals))
        if self._found is None or self._found[0] is not loaded or self._found[1] != asked:
            self._found = loaded, asked, self._modules_among(loaded)
        return list(self._found[2])

    def modules_of_tests(self) -> list[ModuleType]:
        """Return the loaded modules of tests. No code of them is traced, so they are none of `loaded_modules`."""
        return [
            module
            for file, modules in _loaded.near().items()
            if self.is_of_tests(file)
            for module in modules
        ]

    def may_use(self, module: ModuleType) -> bool:
        """Return whether a module is one of `loaded_modules`."""
        file = file_of(module)
        return bool(file) and (
            self._may_count(file) or (self._traced is not None and file in self._traced.files())
        )

    def _modules_among(self, loaded: Mapping[str, Sequence[ModuleType]]) -> list[Namespace]:
        named = self._traced.files() if self._traced is not None else set()
        looked_for = named | self._homes
        is_installed = any(file.startswith(_ELSEWHERE) for file in looked_for)
        found: dict[int, Namespace] = dict(self._globals)
        # Hundreds of modules are installed.
        for file, modules in (loaded if is_installed else _loaded.near()).items():
            if file in named or self._may_count(file):
                found.update((identity(vars(module)), module) for module in modules)
        return list(found.values())

    def _may_count(self, file: str) -> bool:
        if file in self._homes:
            return True
        return _real_path(file) in self._homes or (
            self._is_file_of_project(file) and not is_test_file(file)
        )

    def _decide(self, code: CodeType) -> bool:
        is_at_home = code.co_filename in self._homes
        if self._traced is None and not is_at_home:
            # Most code is ruled out here, by the path of its file alone.
            if not self._is_file_of_project(code.co_filename):
                return False
            is_at_home = _real_path(code.co_filename) in self._homes
        if code in self._fakes or self._atomic.have(code):
            return False
        if code in self._bodies:
            return True
        if self._traced is not None:
            return self._traced.have(code)
        if _outermost(code) == self._world:
            return False
        if not is_at_home:
            filename = code.co_filename
            return not (self.is_of_tests(filename) or self._lies_beside_test(filename))
        is_test_code = code.co_name == "<module>" or code.co_name.startswith("test_")
        return not (is_test_code and is_test_file(code.co_filename))

    def _is_inside_world(self, code: CodeType) -> bool:
        if self._inside_world is None or code in self._bodies:
            return False
        filename, begin = self._inside_world
        return code.co_filename == filename and code.co_qualname.startswith(begin)

    def _is_file_of_project(self, filename: str) -> bool:
        # Most files that are not of the project show it by their path alone, which is fast to see.
        if filename.startswith(_ELSEWHERE):
            return False
        real = _real_path(filename)
        return bool(real) and not real.startswith(_ELSEWHERE)


class _Loaded:
    """The modules of this process. There are hundreds, and from check to check they are hardly ever others."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._by_file: dict[str, list[ModuleType]] = {}
        self._near: dict[str, list[ModuleType]] = {}

    def by_file(self) -> dict[str, list[ModuleType]]:
        """Return those that have a file, by it."""
        loaded = list(sys.modules.values())
        if len(loaded) != len(self._all) or not all(map(is_, loaded, self._all)):
            found: dict[str, list[ModuleType]] = {}
            for module in loaded:
                if isinstance(module, ModuleType) and (file := vars(module).get("__file__")):
                    found.setdefault(file, []).append(module)
            self._all, self._by_file = loaded, found
            self._near = {file: found[file] for file in found if not _lies_elsewhere(file)}
        return self._by_file

    def near(self) -> dict[str, list[ModuleType]]:
        """Return the modules that are neither installed nor ours, by their files."""
        self.by_file()
        return self._near


_loaded = _Loaded()


def _says_it_stands_in(module: ModuleType) -> bool:
    """Return whether a module, or a class or function that it defines, is called as what stands for others."""
    defined = (
        name
        for name, value in vars(module).items()
        if is_one_of((FunctionType, type), value) and value.__module__ == module.__name__
    )
    return any(map(_STANDS_IN.search, (module.__name__, *defined)))


def _real_path(filename: str) -> str:
    """Return the path of a file without links; "" if there is no such file."""
    try:
        return _existing(filename)
    except FileNotFoundError:
        return ""


@cache
def _existing(filename: str) -> str:
    """Return the path of a file without links, which takes long for hundreds of modules.

    Raises:
        FileNotFoundError: when the file does not exist. That is not remembered: it may exist later.
    """
    path = os.path.realpath(filename)
    if not os.path.isfile(path):  # noqa: PTH113 - a fifth of the time
        raise FileNotFoundError(path)
    return path


@cache
def _lies_elsewhere(filename: str) -> bool:
    """Return whether a file of a module is installed, or ours: none of them moves while tests run."""
    return filename.startswith(_ELSEWHERE) and os.path.realpath(filename).startswith(_ELSEWHERE)


def file_of(module: Namespace) -> str:
    """Return the file of a module, without loading a lazy one; "" if it has none."""
    return vars(module).get("__file__") or ""


class LooseGlobals:
    """Stands for the module that generated code does not have: `exec` was given a dictionary."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.__dict__ = namespace

    @property
    def __name__(self) -> str:
        # The dictionary may be the copy of a module's, with its name in it.
        return f"<globals {id(self.__dict__)}>"


def _neighbours(filename: str) -> Iterator[str]:
    """Yield the installed package, or the package in a zip, in which a file lies with others."""
    real = os.path.realpath(filename)
    for packages in _PACKAGES:
        package, inside, _ = real.removeprefix(packages).partition(os.sep)
        # The jobs of `pytest_jobs.conformance` lie in our own package, which explores them.
        if real.startswith(packages) and inside and not real.startswith(_OURS):
            yield f"{packages}{package}{os.sep}"
    archive = next((path for path in Path(filename).parents if path.is_file()), None)
    if archive is not None:
        yield f"{archive}{os.sep}"


class _Parts:
    """The modules, functions and classes that `trace=` or `atomic=` names."""

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
                    f"{argument}= names {part!r}, which is not a module, function or class."
                )

    def files(self) -> set[str]:
        """Return the files of the modules, and those that contain the functions."""
        return self._files | {code.co_filename for code in self._codes}

    def have(self, code: CodeType) -> bool:
        if code in self._codes:
            return True
        return bool(self._files) and os.path.realpath(code.co_filename) in self._files


class _Names:
    """The names in traced code, and the modules that it comes to by them."""

    def __init__(self) -> None:
        #: Globals and attributes.
        self._all: set[str] = set()
        #: What functions import when they run, among others.
        self._imported: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, code: CodeType) -> None:
        self._all.update(code.co_names)
        if _IMPORTING in code.co_code[::2]:
            self._imported.update(code.co_names)

    def modules_named_in(self, namespace: Mapping[str, Any]) -> Iterator[ModuleType]:
        """Yield the modules to which code comes from the globals of its module."""
        values = self._values_in(namespace)
        yield from self._below(value for value in values if isinstance(value, ModuleType))
        kinds = {value if isinstance(value, type) else type(value) for value in values}
        owners = {base.__module__ for kind in kinds for base in kind.__mro__}
        owners |= self._imports_from(str(namespace.get("__package__") or ""))
        found = (sys.modules.get(name) for name in owners)
        yield from (module for module in found if isinstance(module, ModuleType))

    def _values_in(self, namespace: Mapping[str, Any]) -> list[Any]:
        return [value for name, value in list(namespace.items()) if name in self._all]

    def _below(self, modules: Iterable[ModuleType]) -> Iterator[ModuleType]:
        """Yield modules, and the modules inside of packages that the code goes on to."""
        waiting = list(modules)
        seen: set[int] = set()
        while waiting:
            module = waiting.pop()
            if identity(module) not in seen:
                seen.add(identity(module))
                yield module
                inner = self._values_in(vars(module))
                waiting += [value for value in inner if isinstance(value, ModuleType)]

    def _imports_from(self, package: str) -> set[str]:
        """Return the full names of what functions of a module import, and of much that does not exist."""
        parts = package.split(".") if package else []
        packages = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        relative = {f"{package}.{name}" for package in packages for name in self._imported}
        return relative | self._imported


def _several(parts: object) -> Iterable[object]:
    return parts if isinstance(parts, list | tuple | set | frozenset) else (parts,)


def _function(body: Any) -> Any:
    """Return the function behind a job, without what wraps it or is bound to it."""
    unwrapped: Any = inspect.unwrap(without_partials(body))
    unwrapped = getattr(unwrapped, "__func__", unwrapped)
    return unwrapped if hasattr(unwrapped, "__code__") else type(unwrapped).__call__


def _code(function: Any) -> CodeType:
    code = getattr(_function(function), "__code__", None)
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


def _outermost(code: CodeType) -> tuple[str, str]:
    """Return the file of some code, and the function or class at the top of the module that contains it."""
    return code.co_filename, code.co_qualname.partition(".")[0]
