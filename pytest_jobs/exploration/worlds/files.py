"""The files of the test: those in `tmp_path`, and what `tempfile` has made for it."""

from __future__ import annotations

import gc
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ...harness.records.texts import counted
from ..engine.acts import audit_hook, watcher
from ..engine.sameness.renaming import AsAtFirst
from ..stores.account import accounts
from ..stores.files import Digest, Files
from .base.store import Building, IsIgnored, UsedStores, unwatched

#: How the names of files begin in a state.
FILES: Final = ("files", "temporary files")
_EVENTS: Final = ("tempfile.mkdtemp", "tempfile.mkstemp")


class TemporaryFolders:
    """What `tempfile` has made outside of checks: folders and files. The plugin of pytest lets it follow them."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def follow(self) -> None:
        # Settings and conftests have made theirs by now. What `mkdtemp` alone has made until now, nobody keeps.
        for one in gc.get_referrers(tempfile.TemporaryDirectory):
            if isinstance(one, tempfile.TemporaryDirectory):
                self._note("tempfile.mkdtemp", (one.name,))
        audit_hook.call(self._note, _EVENTS, instead_of="temporary folders")

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        if watcher.get() is None and accounts.current is None:
            self._made.append(Path(os.fsdecode(args[0])).absolute())

    def of(self, path: Path) -> Path | None:
        """Return what has been made in which a path lies, or whose name, which nobody else has, it begins with."""
        return next((made for made in self._made if _belongs(path, made)), None)


def _belongs(path: Path, made: Path) -> bool:
    return made in path.parents if made.is_dir() else str(path).startswith(str(made))


temporary_folders: Final = TemporaryFolders()


class WrittenFolders:
    """The temporary folders and files to which a delivery has written, each copied just before."""

    def __init__(self) -> None:
        self._folders: UsedStores[Path, Folder] = UsedStores()

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        self._folders.begin_history()
        account = accounts.current
        if account is not None:
            account.before_writing(self._copy)
            for path in self._folders:
                account.files.know(str(path))
        try:
            yield lambda: self._state(building.is_ignored)
        finally:
            for folder in self._folders.values():
                folder.put_back()

    def described(self) -> str:
        return "; ".join(filter(None, (one.described() for one in self._folders.values())))

    def _copy(self, file: str) -> None:
        path, account = temporary_folders.of(Path(file)), accounts.current
        if path is None or account is None:
            return
        if path not in self._folders:
            with unwatched():
                self._folders[path] = Folder(path, "made by tempfile")
        account.files.know(str(path) if path.is_dir() else file)

    def _state(self, is_ignored: IsIgnored) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for number, (path, folder) in enumerate(self._folders.items(), 1):
            name = "temporary files" if number == 1 else f"temporary files {number}"
            if self._folders.is_shown(path) or folder.has_changed():
                state |= _by_name(name, folder.shown(is_ignored))
        return state


class Folder:
    """The files below a folder, or those whose names begin as that of a file that `tempfile` has made.

    Each history finds those of the test there, and the test finds them again.
    """

    def __init__(self, folder: Path, name: str = "tmp_path") -> None:
        self._folder = folder
        #: How the paths of its files begin, which their names leave out.
        self._begin = (
            f"{folder.as_posix()}/" if folder.is_dir() else folder.with_suffix("").as_posix()
        )
        self._name = name
        self._before = self._read()
        #: What the files show that are as they were. A folder may have thousands, and a job changes a few.
        self._unchanged: dict[str, Any] = {}

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        try:
            yield lambda: _by_name("files", self.shown(building.is_ignored))
        finally:
            self.put_back()

    def described(self) -> str:
        number = sum(content is not None for content in self._before.values())
        return f"{self._name}: {counted(number, 'file')}" if number else ""

    def has_changed(self) -> bool:
        return self._read() != self._before

    def shown(self, is_ignored: IsIgnored) -> dict[str, Any]:
        """Return what its files contain, by their paths in it."""
        account = accounts.current
        files = Files() if account is None else account.files
        found = {}
        for name, content in self._read().items():
            path = str(self._path(name))
            if content is None or is_ignored(name, Path(path).name):
                continue
            if account is not None and account.leaves_out(path):
                continue
            before = self._before.get(name)
            if content == before and name in self._unchanged:
                found[name] = self._unchanged[name]
                continue
            shown = files.content(files.name_of(path), lambda value: value, before or b"")
            if content == before:
                shown = AsAtFirst(shown) if type(shown) is tuple else shown
                self._unchanged[name] = shown
            found[name] = shown
        return found

    def _read(self) -> dict[str, bytes | None]:
        """Return the content of each file by its path in the folder, and None for each folder in it."""
        found = {}
        beside = self._folder.parent.glob(f"{glob.escape(self._folder.stem)}*")
        paths = self._folder.rglob("*") if self._begin.endswith("/") else beside
        for path in sorted(paths):
            if not path.is_symlink() and (path.is_dir() or path.is_file()):
                name = path.as_posix().removeprefix(self._begin)
                found[name] = None if path.is_dir() else path.read_bytes()
        return found

    def _path(self, name: str) -> Path:
        return Path(f"{self._begin}{name}")

    def put_back(self) -> None:
        now = self._read()
        for name, content in now.items():
            path = self._path(name)
            is_kept = name in self._before and (self._before[name] is None) == (content is None)
            if not is_kept and path.is_dir():
                shutil.rmtree(path)
            elif not is_kept:
                path.unlink(missing_ok=True)
        for name, content in self._before.items():
            path = self._path(name)
            if content is None:
                path.mkdir(exist_ok=True)
            elif now.get(name) != content or not path.exists():
                path.write_bytes(content)


def _by_name(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the state for files that a report can show, and one for the others."""
    binary = {path: content for path, content in found.items() if isinstance(content, Digest)}
    others = {path: content for path, content in found.items() if path not in binary}
    return {
        part: contents
        for part, contents in ((name, others), (f"{name} (binary)", binary))
        if contents
    }
