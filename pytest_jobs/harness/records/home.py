"""The modules that belong to a test: its own, and whatever these name or import.

A process has the modules of all tests, and the applications in them. A test is to go as if it were run alone, so
what only another test has imported does nothing in it.
"""

from __future__ import annotations

import dis
import fnmatch
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from ...core.foundation.libraries import settings_module
from .attributes import attributes_of, identity, is_one_of, variables_of_modules

_IMPORTING: Final = dis.opmap["IMPORT_NAME"]
_FOLDERS: Final = [
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
]
#: How the names of files begin that are of the standard library or of an installed package.
INSTALLED: Final = tuple(
    f"{path}{os.sep}" for path in {*_FOLDERS, *map(os.path.realpath, _FOLDERS)}
)
_PACKAGE: Final = f"{Path(__file__).parents[2]}{os.sep}"
_TESTS: Final = ("test_*.py", "*_test.py", "tests.py", "conftest.py")
#: Folders in which a project keeps its tests, and with them its fakes.
_TEST_FOLDERS: Final = frozenset(("tests", "test", "testing"))


class Home:
    """The modules that belong to one test. They are looked for when somebody first asks."""

    def __init__(self, roots: Iterable[ModuleType]) -> None:
        """Begin with the modules of the test, and the settings of Django, which belong to each.

        Args:
            roots: that of the test, and those of its fixtures.
        """
        settings = settings_module()
        self._roots = (*roots, *([] if settings is None else [settings]))
        #: How many modules there were, and those of them that belong to the test, by identity.
        self._modules: tuple[int, dict[int, ModuleType]] = (0, {})

    def has(self, thing: object) -> bool:
        """Say whether an object is a variable in a module of the test, or a class or function defined there."""
        modules = self._reached()
        is_defined = is_one_of((type, FunctionType), thing)
        if (
            is_defined
            and identity(sys.modules.get(str(getattr(thing, "__module__", "")))) in modules
        ):
            return True
        return any(
            value is thing
            for each in modules.values()
            for value in list(attributes_of(each).values())
        )

    def path_of(self, application: object) -> str:
        """Return the variable of a module that has an application, as `jobs_apps` would name it; else its text."""
        if isinstance(application, type):
            return f"{application.__module__}:{application.__qualname__}"
        kind = type(application)
        found = (
            f"{module}:{name}"
            for module, _, name, value in variables_of_modules(lambda each: each is kind)
            if value is application
        )
        return next(found, repr(application))

    def _reached(self) -> dict[int, ModuleType]:
        # The test, or a job of it, may import more.
        if self._modules[0] != len(sys.modules):
            self._modules = len(sys.modules), dict(self._walk())
        return self._modules[1]

    def _walk(self) -> Iterator[tuple[int, ModuleType]]:
        waiting, seen = list(self._roots), set[int]()
        while waiting:
            module = waiting.pop()
            if identity(module) in seen:
                continue
            seen.add(identity(module))
            yield identity(module), module
            # What a library imports is its own business.
            if not is_installed(module):
                waiting += modules_named_in(module)


def is_installed(module: ModuleType) -> bool:
    """Say whether a module is of the standard library or of an installed package, or has no file."""
    file = attributes_of(module).get("__file__") or ""
    return not file or file.startswith(INSTALLED)


@cache
def is_of_project(filename: str) -> bool:
    """Say whether code may be of the project: it has a file, which is not installed, nor of this package."""
    return filename.endswith(".py") and not filename.startswith((*INSTALLED, _PACKAGE))


def is_in_packages(filename: str) -> bool:
    """Say whether a file lies in a folder of installed packages, of this Python or of another one."""
    return "site-packages" in filename or "dist-packages" in filename


def is_of_library(thing: object) -> bool:
    """Say whether the class of an object is of the standard library or of an installed package."""
    module = sys.modules.get(type(thing).__module__)
    return module is None or is_installed(module)


def modules_named_in(module: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules that a module names, that have defined what it names, and that its functions import."""
    own, variables = module.__name__, attributes_of(module)
    names = {own.rpartition(".")[0]}
    for value in list(variables.values()):
        if is_one_of((ModuleType,), value):
            # Python puts each module of a package into it: the other tests of a folder are not meant by that.
            file = attributes_of(value).get("__file__") or ""
            if not (value.__name__.startswith(f"{own}.") and is_test_file(file)):
                yield value
            continue
        if type(value) is FunctionType:
            names.add(str(value.__module__))
        else:
            kind = value if is_one_of((type,), value) else type(value)
            names.add(str(attributes_of(kind).get("__module__", "")))
        names.update(*_imported_by(value, own, str(variables.get("__package__") or "")))
    yield from (
        sys.modules[name] for name in names if is_one_of((ModuleType,), sys.modules.get(name))
    )


@cache
def is_test_file(filename: str) -> bool:
    """Say whether a file is called as tests are, or as what belongs to them."""
    name = Path(filename).name
    return any(fnmatch.fnmatch(name, pattern) for pattern in _TESTS)


def is_of_tests(path: PurePath) -> bool:
    """Return whether a file is a test, or lies in a folder of tests: it answers for no job of a project."""
    return is_in_test_folder(path) or is_test_file(str(path))


def is_in_test_folder(path: PurePath) -> bool:
    """Say whether a file lies in a folder of tests.

    Args:
        path: its path from the folder of the project.
    """
    return not _TEST_FOLDERS.isdisjoint(path.parts[:-1])


def _imported_by(value: Any, own: str, package: str) -> Iterator[set[str]]:
    """Yield the names that a function, or the methods of a class, may import when they run."""
    named = attributes_of(value).values() if is_one_of((type,), value) else (value,)
    # Other objects are not asked for their code: a lazy one may fail then.
    plain = (
        each.__func__ if is_one_of((classmethod, staticmethod), each) else each for each in named
    )
    codes = [
        each.__code__ for each in plain if type(each) is FunctionType and each.__module__ == own
    ]
    parts = package.split(".") if package else []
    packages = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    while codes:
        code = codes.pop()
        codes += [const for const in code.co_consts if type(const) is CodeType]
        # Each operation has two bytes.
        if _IMPORTING in code.co_code[::2]:
            yield {
                *code.co_names,
                *(f"{each}.{name}" for each in packages for name in code.co_names),
            }
