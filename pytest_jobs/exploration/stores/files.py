"""The files that a history touches, by Python's audit events."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import pickle
import re
import sqlite3
import stat
import sys
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ..engine.sameness.renaming import Unordered
from .new_keys import AreNumbers, NewKeys, names_of_tables, rows_in
from .store import Store

#: The begin of the name of a file in the first temporary directory that the world has made. Reports leave it out.
OWN: Final = "<tmp 1>/"
_NUMBERED: Final = re.compile(r"<\w+ \d+>")
#: How the directory of a `sqlite_world` begins. It has a number of its own, so that the test's are counted alone.
OF_WORLD: Final = "pytest-jobs-world-"
_OF_TWO: Final = frozenset(("os.rename", "os.link", "os.symlink"))
_CHANGES: Final = _OF_TWO | {"os.remove", "os.truncate", "open"}
_TEMPORARY: Final = frozenset(("tempfile.mkdtemp", "tempfile.mkstemp"))
_DIRECTORY: Final = frozenset(
    ("os.listdir", "os.scandir", "os.chdir", "os.mkdir", "os.rmdir", "shutil.rmtree")
)
_LOCKS: Final = frozenset(("fcntl.flock", "fcntl.lockf", "os.lockf"))
#: The events that `Files.note` takes.
EVENTS: Final = _CHANGES | _TEMPORARY | _DIRECTORY | _LOCKS
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Libraries whose files are logs: no job is meant to write a line of them only once.
_LOGS: Final = frozenset(("logging", "loguru", "structlog"))
#: Nothing is stored in these directories, except in the second one.
_DEVICES: Final = ("/dev/", "/proc/", "/sys/")
_MEMORY: Final = "/dev/shm/"  # noqa: S108 - nothing is made there
#: A line of the directory of `dbm.dumb`: a key, and where its value is.
_LINE_OF_DBM: Final = re.compile(r"""(['"]).*\1, \(\d+, \d+\)""")
_LONGEST_TEXT: Final = 1_000_000
#: How the file of a database begins.
_SQLITE: Final = b"SQLite format 3\0"


class Digest(str):
    """Stands for the content of a file that nobody can read in a report."""

    __slots__ = ()

    @classmethod
    def of(cls, content: bytes) -> Digest:
        digest = hashlib.sha256(content).hexdigest()[:16]
        return cls(f"a binary file, {len(content)} bytes, sha256 {digest}: ignore= or a world")


class Files(Store):
    """The files of this machine. It is a store, in which a file has a path relative to what the world has made."""

    noun = "file"

    def __init__(self, are_numbers: AreNumbers = lambda *_: False) -> None:
        self._are_numbers = are_numbers
        #: The temporary files and directories of the world, by their names, and those of deliveries.
        self._made: dict[str, str] = {}
        self._scratch: list[str] = []
        #: Other files and directories that the world has touched.
        self._known: set[str] = set()
        #: Whether the world has opened any file for writing.
        self.has_handles = False
        #: Whether each file that a delivery has written was there before.
        self._was_there: dict[str, bool] = {}
        #: The files that were locked, by device and number.
        self._locked: set[tuple[int, int]] = set()

    # Names

    def name_of(self, path: str) -> str:
        """Return the name of a file: the same in each history if it lies in what the world has made."""
        for name, made in self._made.items():
            if _lies_in(path, made):
                return name + path[len(made) :]
        return path

    def _path(self, name: str) -> str:
        found = _NUMBERED.match(name)
        if found is None:
            return name
        made = self._made.get(found[0])
        return "" if made is None else made + name[found.end() :]

    def know(self, path: str) -> None:
        self._known.add(path)

    # As a store

    def is_bound(self, name: str) -> bool:
        path = self._path(name)
        return any(_lies_in(path, place) for place in (*self._made.values(), *self._known))

    def shows(self, read: str, name: str) -> bool:
        return read.endswith("/") and name.startswith(read)

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        path = self._path(name)
        try:
            found = Path(path).stat()
        except OSError:
            return None if self._was_there.get(path) else ""
        if (
            stat.S_ISDIR(found.st_mode)
            or (not path.endswith(".dir") and _entries_of_dbm(path) is not None)
            or _is_beside_database(path)
        ):
            return ""
        is_lock = (found.st_dev, found.st_ino) in self._locked and not found.st_size
        return "a lock" if is_lock else None

    def content(self, name: str, renamed: Callable[[Any], Any], before: bytes = b"") -> Any:
        """Return the content of a file, which had another one before the history began."""
        path = self._path(name)
        try:
            entries = _entries_of_dbm(path)
            if entries is not None:
                return tuple((key, content_form(value, renamed)) for key, value in entries)
            content = Path(path).read_bytes()
            if content.startswith(_SQLITE):
                with suppress(Exception):
                    return renamed(self._tables(content, name, before))
            return content_form(content, renamed)
        except OSError:
            return None

    def _tables(self, content: bytes, name: str, before: bytes) -> dict[str, Any]:
        """Return the rows of a database by their tables: its file counts its changes as well."""
        with database_in_memory(before) as first, database_in_memory(content) as database:
            keys, found = NewKeys(name, self._are_numbers, first), {}
            for table in names_of_tables(database):
                rows = rows_in(database, table)
                keys.number(database, table, rows)
                found[table] = Unordered(rows)
        return found

    # Audit events

    def note_world(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and opens_for_writing(*args[:3]):
            # Not where the world has made a database, which is looked at by its rows.
            self.has_handles |= not self.name_of(_absolute(args[0])).startswith("<world ")
        if event in _TEMPORARY:
            path = _absolute(args[0])
            kind = "world" if Path(path).name.startswith(OF_WORLD) else "tmp"
            number = 1 + sum(name.startswith(f"<{kind} ") for name in self._made)
            self._made[f"<{kind} {number}>"] = path
        # For an import, Python lists the directories of modules.
        elif event not in _LOCKS and not any(
            frame.f_code.co_filename.startswith("<frozen importlib") for frame in _frames()
        ):
            self._known.update(_paths(event, args))

    def reads(self, event: str, args: tuple[Any, ...]) -> list[str]:
        """Return the names of what a snapshot reads; that of a directory ends with a slash."""
        if event == "open":
            return [self.name_of(path) for path in _paths(event, args)]
        if event in ("os.listdir", "os.scandir"):
            return [f"{self.name_of(path)}/" for path in _paths(event, args)]
        return []

    def writes(self, event: str, args: tuple[Any, ...]) -> list[str]:
        if event in _TEMPORARY:
            path = _absolute(args[0])
            # In a directory of the world, such as `NamedTemporaryFile(dir=reports)`, it may be a result.
            if not self.is_bound(self.name_of(path)):
                self._scratch.append(path)
        elif event in _LOCKS:
            with suppress(OSError, TypeError):
                found = os.fstat(args[0] if isinstance(args[0], int) else args[0].fileno())
                self._locked.add((found.st_dev, found.st_ino))
        if event not in _CHANGES or (event == "open" and not opens_for_writing(*args[:3])):
            return []
        paths = [path for path in _paths(event, args) if not self._is_left_out(path)]
        if not paths or logs():
            return []
        for path in paths:
            self._was_there.setdefault(path, os.path.lexists(path))
        return [self.name_of(path) for path in paths]

    def _is_left_out(self, path: str) -> bool:
        return (
            path.endswith(".pyc")
            or "__pycache__" in path
            or (path.startswith(_DEVICES) and not path.startswith(_MEMORY))
            or any(_lies_in(path, place) for place in self._scratch)
        )


def _lies_in(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


def _paths(event: str, args: tuple[Any, ...]) -> list[str]:
    if event in _OF_TWO:
        pairs = [(args[0], *args[2:3]), (args[1], *args[3:4])]
    elif event == "os.mkdir":
        pairs = [(args[0], *args[2:3])]
    elif event in ("os.remove", "os.rmdir", "shutil.rmtree"):
        pairs = [args[:2]]
    else:
        pairs = [args[:1]]
    return [path for pair in pairs if (path := _absolute(*pair))]


def _absolute(path: Any, folder: Any = None) -> str:
    """Return an absolute path, of one that may be relative to an open directory; "" for an open file."""
    if path is None:
        path = "."
    try:
        text = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0 and not text.startswith(os.sep):
            text = f"{Path(f'/proc/self/fd/{folder}').readlink()}{os.sep}{text}"
        return os.path.abspath(text)  # noqa: PTH100 - without `..`, and links as they are
    except (TypeError, ValueError, OSError):
        return ""


def opens_for_writing(path: Any, mode: Any = None, flags: Any = None) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITE_FLAGS)


def logs() -> bool:
    """Return whether a library for logs runs: records of a log are no effects, and its files no results."""
    return any(package_of(frame) in _LOGS for frame in _frames())


def package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_beside_database(path: str) -> bool:
    """Say whether sqlite has this file for its own use, beside a database."""
    database, _, end = path.rpartition("-")
    if end not in ("wal", "shm", "journal"):
        return False
    try:
        with Path(database).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _entries_of_dbm(path: str) -> list[tuple[str, bytes]] | None:
    """Return the entries of a file of `dbm.dumb`, where a value may lie at any place; None for another file."""
    base, end = os.path.splitext(path)  # noqa: PTH122 - a path as a text
    if end not in (".dir", ".dat", ".bak"):
        return None
    try:
        lines = Path(f"{base}.dir").read_text("latin-1").splitlines()
        data = Path(f"{base}.dat").read_bytes()
    except OSError:
        return None
    if not all(map(_LINE_OF_DBM.fullmatch, lines)):
        return None
    # The same key may stand there again: the last one counts.
    found = {}
    for line in lines:
        key, (place, size) = ast.literal_eval(line)
        found[str(key)] = data[place : place + size]
    return sorted(found.items())


def content_form(content: bytes, renamed: Callable[[Any], Any]) -> Any:
    packed = _unpacked(content)
    if packed is not None:
        return tuple((name, content_form(inner, renamed)) for name, inner in packed)
    if content.startswith(b"\x80") and content.endswith(b"."):
        with suppress(Exception):
            # The job has written it.
            return renamed(pickle.loads(content))  # noqa: S301
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or len(content) > _LONGEST_TEXT:
        return Digest.of(content)
    return tuple(map(renamed, text.splitlines()))


@contextmanager
def database_in_memory(content: bytes) -> Generator[sqlite3.Connection, None, None]:
    """Open a database of sqlite with the content of a file, which may be empty, for a block."""
    # By the class, since the function of this name is patched.
    with closing(sqlite3.Connection(":memory:")) as database:
        if content.startswith(_SQLITE):
            # As one without a log of what is written ahead, which is a file of its own.
            database.deserialize(content[:18] + b"\1\1" + content[20:])
        yield database


def _unpacked(content: bytes) -> list[tuple[str, bytes]] | None:
    """Return the members of an archive, which has the times of its files; None for another file."""
    try:
        if content.startswith(b"\x1f\x8b"):
            import gzip

            return [("gzip", gzip.decompress(content))]
        if content.startswith(b"PK\x03\x04"):
            import zipfile

            with zipfile.ZipFile(io.BytesIO(content)) as zipped:
                return [(member.filename, zipped.read(member)) for member in zipped.infolist()]
        if content.startswith(b"ustar", 257):
            import tarfile

            # Of several that were written one after the other, all count.
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:", ignore_zeros=True) as tarred:
                found = ((member, tarred.extractfile(member)) for member in tarred.getmembers())
                return [
                    (
                        f"{member.name} {member.linkname}".strip(),
                        b"" if file is None else file.read(),
                    )
                    for member, file in found
                ]
    except Exception:
        # Such as one that is encrypted, or half written: it is compared as it is.
        return None
    return None
