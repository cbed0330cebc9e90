"""Files that are open when a job begins, such as a ledger of a module: no event reports writes to them."""

from __future__ import annotations

import gc
import io
import logging
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from .files import content_form
from .store import Store

T = TypeVar("T", int, Path)

#: Where Linux lists the open files of this process.
_LIST: Final = Path("/proc/self/fd")
_WRITERS: Final = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom, io.FileIO)


class _OpenFile(NamedTuple):
    number: int
    #: Its device and number, by which it is known whether the descriptor has been used again.
    identity: tuple[int, int]
    name: str
    #: The objects of Python that write to it, the outermost first.
    writers: list[Any]

    def size(self) -> int | None:
        for writer in self.writers:
            with suppress(OSError, ValueError):
                writer.flush()
        try:
            found = os.fstat(self.number)
        except OSError:
            return None
        return found.st_size if (found.st_dev, found.st_ino) == self.identity else None


class OpenFiles:
    """The files that this process had open for writing when they were last looked for.

    An object rather than a ContextVar, since all histories of a check have them in common.
    """

    def __init__(self) -> None:
        #: By descriptor, with their names: a file that was removed leaves its number on the disk to the next one.
        self._known: dict[int, tuple[tuple[int, int], str]] = {}
        self._files: list[_OpenFile] = []
        #: Those to which no object of Python writes: a job may by their numbers.
        self._plain: list[_OpenFile] = []

    def look(self) -> None:
        """Look for files that were opened since then. Only Linux lists them."""
        found = _regular_files()
        known = {number: (identity, _name(number)) for number, identity in found.items()}
        if known != self._known:
            self._known = known
            # To look at all objects of Python takes long, so that is done only where other files are open.
            self._files = _written_by_python(found, gc.get_objects() if found else ())
            others = found.keys() - {file.number for file in self._files}
            self._plain = [
                _OpenFile(number, found[number], _name(number), []) for number in sorted(others)
            ]

    def additions(self) -> Additions:
        return Additions({file.name: file for file in self._files}, self._plain)

    def additions_of_world(self, name_of: Callable[[str], str]) -> Additions:
        """Return what will be written to files that were opened since the last look: a world has opened them."""
        new = {
            number: identity
            for number, identity in _regular_files().items()
            if self._known.get(number) != (identity, _name(number))
        }
        named: dict[str, _OpenFile] = {}
        # No garbage is collected while a history lasts, so what is new is in the first generation.
        for file in _written_by_python(new, gc.get_objects(generation=0)):
            has_name = os.fstat(file.number).st_nlink > 0
            name = name_of(file.name) if has_name else f"temporary file {len(named) + 1}"
            named[name] = file
        return Additions(named)


class Additions(Store):
    """What one history writes to open files. It is a store."""

    noun = "open file"

    def __init__(self, files: Mapping[str, _OpenFile], plain: Iterable[_OpenFile] = ()) -> None:
        """Note the sizes of files by their names, and of those that count once `os.write` has written to them."""
        self._sizes = {
            name: (file, size) for name, file in files.items() if (size := file.size()) is not None
        }
        self._plain = {
            file.number: (file, size) for file in plain if (size := file.size()) is not None
        }

    def wrote_to(self, number: int) -> bool:
        """Let an open file count; return whether it is one of these, which no event names."""
        file, size = self._plain.get(number, (None, 0))
        if file is not None and file.size() is not None:
            self._sizes.setdefault(file.name, (file, size))
        return number in {file.number for file, _ in self._sizes.values()}

    def names(self) -> list[str]:
        """Return the names of the files that have something more by now."""
        return [name for name, (file, size) in self._sizes.items() if (file.size() or 0) > size]

    def is_bound(self, name: str) -> bool:
        return True

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        if name not in self._sizes:
            return ()
        file, size = self._sizes[name]
        with (_LIST / str(file.number)).open("rb") as again:
            again.seek(size)
            return content_form(again.read(), renamed)

    def cut_off(self) -> None:
        for file, size in self._sizes.values():
            if (file.size() or 0) > size:
                os.ftruncate(file.number, size)
                os.lseek(file.number, 0, os.SEEK_END)
                for writer in file.writers:
                    # A file that was not opened for appending would get zeros up to where it was.
                    with suppress(OSError, ValueError):
                        writer.seek(0, os.SEEK_END)


open_files = OpenFiles()


def _regular_files() -> dict[int, tuple[int, int]]:
    """Return the regular files that this process has open, without streams and logs."""
    try:
        numbers = [int(number) for number in os.listdir(_LIST)]  # noqa: PTH208 - faster
    except OSError:
        return {}
    others = set(_identities([1, 2, *_streams_of_logs()]).values())
    return {
        number: identity
        for number, identity in _identities(numbers).items()
        if identity not in others
    }


def _streams_of_logs() -> list[int]:
    numbers = []
    for reference in logging._handlerList:  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        with suppress(AttributeError, OSError, ValueError):
            numbers.append(reference().stream.fileno())
    return numbers


def _identities(places: Iterable[T]) -> dict[T, tuple[int, int]]:
    """Return the identity of each regular file by its descriptor or path."""
    found = {}
    for place in places:
        with suppress(OSError):
            status = os.stat(place)  # noqa: PTH116 - of a descriptor, too
            if stat.S_ISREG(status.st_mode):
                found[place] = status.st_dev, status.st_ino
    return found


def _written_by_python(
    found: dict[int, tuple[int, int]], objects: Iterable[Any]
) -> list[_OpenFile]:
    """Return the files that objects of Python write to, and no other process: not those of sqlite, for example."""
    writers: dict[int, list[Any]] = {}
    for one in objects if found else ():
        # Asked by its type: a lazy object of Django would build what it stands for to say its class.
        if issubclass(type(one), _WRITERS):
            with suppress(OSError, ValueError):
                if one.fileno() in found and one.writable():
                    writers.setdefault(one.fileno(), []).append(one)
    # A server that the test has started may write its log to such a file at any time.
    others = _open_elsewhere() if writers else set()

    def height(writer: Any) -> int:
        return [isinstance(writer, kind) for kind in _WRITERS].index(True)

    return [
        _OpenFile(number, found[number], _name(number), sorted(writing, key=height))
        for number, writing in sorted(writers.items())
        if found[number] not in others
    ]


def _open_elsewhere() -> set[tuple[int, int]]:
    """Return the identity of each regular file that another process has open, as far as they may be looked at."""
    found: set[tuple[int, int]] = set()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            with suppress(OSError):
                found.update(_identities((process / "fd").iterdir()).values())
    return found


def _name(number: int) -> str:
    try:
        return str((_LIST / str(number)).readlink()).removesuffix(" (deleted)")
    except OSError:
        # Another thread has closed it since.
        return ""
