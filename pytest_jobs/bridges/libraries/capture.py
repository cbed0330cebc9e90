"""Capturing the job libraries that a program imports, without being told which."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, Protocol, TypeVar, cast

from ...errors import BridgeError
from ...harness.open_harness import OpenHarness, open_harnesses
from ...harness.records.bridge import Bridge
from ..seam import Seam
from .clients import CLIENTS, Client, Notice
from .floors import what_does_not_fit
from .known import LIBRARIES, Library
from .refusals import Beside, Refusal

T = TypeVar("T")

#: The library of each module after whose import it can be captured, and the client of each that may send then.
BY_MODULE: Final[Mapping[str, Library | Client]] = {
    **{module: each for each in LIBRARIES.values() for module in each.modules},
    **CLIENTS,
}


class BridgeModule(Protocol):
    """What the module of a bridge offers."""

    def bridge(self, applications: Sequence[Any]) -> Bridge:
        """Return a new bridge to the library.

        Args:
            applications: those that `jobs_apps` names. They go before others, which are captured as well.

        Raises:
            UnknownVersionError: when the installed version lacks what the bridge relies on.
            ApplicationError: when one of them is not an application of the library.
        """
        ...


class HeldSeams:
    """Keeps the classes of libraries patched from the first test that uses them to the end of the session.

    Patching them anew for each test would cost three times what a test costs so.
    """

    def __init__(self) -> None:
        self._held: dict[int, Seam] = {}
        self._stack = ExitStack()
        open_harnesses.ends_of_patches.enter()
        self._stack.callback(open_harnesses.ends_of_patches.leave)

    def hold(self, bridge: object) -> None:
        """Keep the patches of an installed bridge in place."""
        seam = getattr(bridge, "seam", None)
        if isinstance(seam, Seam) and id(seam) not in self._held:
            self._held[id(seam)] = seam
            seam.hold()
            self._stack.callback(seam.release)

    def close(self) -> None:
        """Restore the libraries."""
        self._held.clear()
        self._stack.close()


class LibraryCapture:
    """Brings the job libraries of a program into one harness: those that are imported, and later ones then."""

    def __init__(self, ignore: Collection[str] = (), held: HeldSeams | None = None) -> None:
        """Capture nothing yet.

        Args:
            ignore: names of libraries that are let through unseen.
            held: keeps the libraries patched when the harness is closed; None to restore them then.
        """
        self._ignore = ignore
        self._held = held
        self._beside: list[Beside] = []
        self._watch: ImportWatch | None = None

    def begin(self, harness: OpenHarness) -> None:
        """Bring in what is imported, and wait for the rest."""
        if self._held is not None:
            for bridge in harness.bridges:
                self._held.hold(bridge)
        for module in sorted(BY_MODULE.keys() & sys.modules.keys()):
            self._bring_in(BY_MODULE[module], harness)
        self._watch = ImportWatch(BY_MODULE, lambda library: self._bring_in(library, harness))
        sys.meta_path.insert(0, self._watch)

    def end(self, harness: OpenHarness) -> None:
        # A test may have put back a list of finders from before the harness.
        if self._watch in sys.meta_path:
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._watch]
        # The watch knows the harness: kept, the two would wait for the garbage collector.
        self._watch = None
        while self._beside:
            self._beside.pop().uninstall()

    def _bring_in(self, library: Library | Client, harness: OpenHarness) -> None:
        if isinstance(library, Client):
            self._stand_beside(Notice(library, harness.ledger))
            return
        name = library.name
        if name in self._ignore or any(bridge.name == name for bridge in harness.bridges):
            return
        found = bridge_or_reason(library)
        if isinstance(found, str):
            self._stand_beside(Refusal(library, harness.ledger, found))
            return
        harness.bring_in([found])
        if self._held is not None:
            self._held.hold(found)

    def _stand_beside(self, brought: Beside) -> None:
        """Put in force what is no bridge."""
        brought.install()
        self._beside.append(brought)
        if self._held is not None:
            self._held.hold(brought)


def bridge_or_reason(library: Library) -> Bridge | str:
    """Return a new bridge to a library, or why there is none.

    A library that is merely imported must not fail the tests that never use it, so nothing is raised.
    """
    if not library.is_bridged:
        return f"pytest-jobs has no bridge to {library.title}"
    try:
        return bridge_module(library.name).bridge(())
    except (BridgeError, ImportError) as error:
        return what_does_not_fit(library, error) or str(error).rstrip(".")


def described_libraries(ignore: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for each library that is imported: what is captured of it, or that it is not."""
    for library in LIBRARIES.values():
        if not library.is_imported:
            continue
        if library.name in ignore:
            yield f"{library.title} is let through unseen (jobs_ignore)"
            continue
        found = bridge_or_reason(library)
        if isinstance(found, str):
            yield f"{library.title} is refused: {found}"
        else:
            version, details = getattr(found, "version", ""), getattr(found, "described", str)()
            yield ": ".join(filter(None, (f"{library.name} {version}".rstrip(), details)))


def bridge_module(library: str) -> BridgeModule:
    """Return the module of the bridge to a library.

    Raises:
        ModuleNotFoundError: when the library is not installed.
    """
    return cast(BridgeModule, importlib.import_module(f"..{library}", __package__))


class ImportWatch(MetaPathFinder):
    """Notices that a library is imported while it is in place: Python asks it for each new module.

    A library counts as imported when no module of its package is half imported any more: the first import of
    `celery.canvas` imports `celery.app`, which lacks much of Celery until that has ended.
    """

    def __init__(self, waiting: Mapping[str, T], found: Callable[[T], object]) -> None:
        """Wait.

        Args:
            waiting: the names of modules, with what stands for each.
            found: called with what stands for a module when its import has ended.
        """
        self._waiting: Mapping[str, Any] = waiting
        self._found: Callable[[Any], object] = found
        self._packages = {_package_of(name) for name in waiting}
        #: The modules that are being imported, and those whose packages are not whole yet.
        self._begun: list[str] = []
        self._postponed: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if _package_of(name) not in self._packages:
            return None
        # Python has asked the earlier ones. One of them may be another watch, which asks this one in turn.
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            # A finder of an old kind has none, and Python passes over it.
            if not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _NoticedLoader(spec.loader, self)
                return spec
        return None

    @contextmanager
    def importing(self, name: str) -> Generator[None, None, None]:
        """Note that a module is being imported, and tell what is whole when that has ended."""
        self._begun.append(name)
        try:
            yield
            if name in self._waiting:
                self._postponed.append(name)
        finally:
            self._begun.remove(name)
            package = _package_of(name)
            if package not in map(_package_of, self._begun):
                whole = [each for each in self._postponed if _package_of(each) == package]
                self._postponed = [each for each in self._postponed if each not in whole]
                for each in whole:
                    self._found(self._waiting[each])


def _package_of(module: str) -> str:
    return module.partition(".")[0]


class _NoticedLoader(Loader):
    """Loads a module as its own loader does, and lets a watch know."""

    def __init__(self, loader: Any, watch: ImportWatch) -> None:
        self._loader = loader
        self._watch = watch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return cast("ModuleType | None", self._loader.create_module(spec))

    def exec_module(self, module: ModuleType) -> None:
        # The module shall look as if nobody had waited for it.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with self._watch.importing(module.__name__):
            self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
