"""Random jobs: statements, branches, loops, effects, transactions, and memory without an effect."""

from __future__ import annotations

import itertools
import linecache
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import ExplorationError, NotIdempotent

_NAMES = ("x", "y", "z")
#: Late crashes and expired leases are tried at the points of crashes and overlaps.
_HISTORIES = ("twice", "restart", "crash", "effect_fails", "reply_lost", "overlap")
_numbers = itertools.count()


class Memory:
    """What the deliveries share, and change without an effect."""

    def __init__(self) -> None:
        self.x = self.y = self.z = 0


class Gateway:
    def __init__(self) -> None:
        self.total = 0

    def charge(self, amount, key=None):
        self.total += 1
        return amount

    def find(self, amount):
        return self.total


@dataclass(frozen=True)
class Generated:
    source: str
    #: The names of the memory that the world shows.
    shown: tuple[str, ...]

    @contextmanager
    def ready(self) -> Iterator[tuple[Any, Any]]:
        """Yield the job and its world, for a block in which its lines have text."""
        filename = f"<generated {next(_numbers)}>"
        lines = self.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(self.source), None, lines, filename)
        namespace: dict[str, Any] = {"memory": None, "gateway": None, "path": None}
        exec(compile(self.source, filename, "exec"), namespace)

        @contextmanager
        def world() -> Iterator[Any]:
            place = _Attribute(namespace)
            with (
                self.shared(namespace) as shown,
                fake(place, "gateway", Gateway(), key="key", reads=("find",)) as gateway,
            ):
                yield lambda: {
                    "charges": gateway.calls,
                    **{name: shown(name) for name in self.shown},
                }

        try:
            yield namespace["job"], world
        finally:
            del linecache.cache[filename]

    @contextmanager
    def shared(self, namespace: dict[str, Any]) -> Iterator[Callable[[str], object]]:
        """Make what the deliveries share, and yield what returns a part of it."""
        memory = namespace["memory"] = Memory()
        yield lambda name: getattr(memory, name)

    def failing(self, *, every_line: bool) -> set[tuple[str, str]]:
        """Return the kinds of the histories that fail, with what each of them does wrong."""
        with self.ready() as (job, world):
            try:
                check_idempotent(
                    job, world=world, every_line=every_line, histories=_HISTORIES, time_limit=600
                )
            except NotIdempotent as failed:
                rest = failed.report.rest
                assert rest is not None
                assert not rest.left
                return {(one.plan.name, str(one.verdict)) for one in rest.failures}
            except ExplorationError as refused:
                return {("refused", str(refused).partition(":")[0])}
        return set()


@dataclass(frozen=True)
class OnDatabase(Generated):
    """A job that works on a database, of which its world shows some tables."""

    #: What the world shows of a table.
    content: str = "value"

    @contextmanager
    def shared(self, namespace: dict[str, Any]) -> Iterator[Callable[[str], object]]:
        with tempfile.TemporaryDirectory() as folder:
            path = namespace["path"] = Path(folder, "jobs.sqlite")
            with closing(sqlite3.connect(path)) as db:
                for name in _NAMES:
                    db.execute(f"create table {name} (value)")
                    db.execute(f"insert into {name} values (0)")
                db.commit()
                yield lambda name: db.execute(f"select {self.content} from {name}").fetchall()


class _Attribute:
    """Lets the global of a generated job be replaced as an attribute."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.__dict__ = namespace


_name = st.sampled_from(_NAMES)
_local = st.sampled_from("ab")
_number = st.integers(0, 3)
_condition = st.one_of(
    st.builds("memory.{} > {}".format, _name, _number),
    st.builds("{} > {}".format, _local, _number),
)
_plain = st.one_of(
    st.builds("{} = {} + {}".format, _local, _local, _number),
    st.builds("{} = memory.{}".format, _local, _name),
    st.builds("memory.{} = {}".format, _name, _local),
    st.builds("memory.{} += 1".format, _name),
    st.builds("gateway.charge({})".format, _local),
    st.builds("gateway.charge({0}, key={0})".format, _local),
    st.builds("{} = gateway.find(1)".format, _local),
    st.builds("{} = gateway.total".format, _local),
    st.just("pass"),
)
_last = st.builds("if {}: return".format, _condition)


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for block in lines for line in block.splitlines())


def _block(children):
    inner = st.lists(children, min_size=1, max_size=3).map(_indented)
    return st.one_of(
        st.builds("if {}:\n{}".format, _condition, inner),
        st.builds("for _ in range({}):\n{}".format, st.integers(1, 3), inner),
    )


_statement = st.recursive(st.one_of(_plain, _last), _block, max_leaves=4)


@st.composite
def generated(draw) -> Generated:
    """Return a job, which does at least one thing that is compared, and what its world shows."""
    body = draw(st.lists(_statement, min_size=2, max_size=7))
    body.insert(draw(st.integers(0, len(body))), "gateway.charge(a)")
    shown = draw(st.lists(_name, unique=True, max_size=3).map(tuple))
    source = f"def job():\n    a = 1\n    b = 2\n{_indented(body)}\n"
    return Generated(source, shown)


_update = "db.execute('update {} set value = value + 1')"
_of_database = st.one_of(
    st.builds(_update.format, _name),
    st.builds("db.execute('update {} set value = ?', ({},))".format, _name, _local),
    st.builds("{} = db.execute('select max(value) from {}').fetchone()[0]".format, _local, _name),
    st.builds("gateway.charge({0}, key={0})".format, _local),
    st.builds("{} = {} + {}".format, _local, _local, _number),
    st.builds("if {} > {}: return".format, _local, _number),
    st.sampled_from(("db.commit()", "db.commit()", "db.rollback()", "gateway.charge(a)")),
)


@st.composite
def generated_on_database(draw) -> OnDatabase:
    """Return a job that writes to a database, and what its world shows of it."""
    body = draw(st.lists(_of_database, min_size=3, max_size=7))
    body += [_update.format(draw(_name)), "db.commit()"]
    shown = draw(st.lists(_name, unique=True, max_size=3).map(tuple))
    first = "a = 1\nb = 2\ndb = sqlite3.connect(path)"
    source = f"import sqlite3\n\ndef job():\n{_indented([first, *body])}\n"
    return OnDatabase(source, shown)
