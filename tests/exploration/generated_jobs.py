"""Random jobs: statements, branches, loops, effects, and memory that is read and written without an effect."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        namespace: dict[str, Any] = {"memory": None, "gateway": None}
        exec(compile(self.source, filename, "exec"), namespace)

        @contextmanager
        def world() -> Iterator[Any]:
            memory = namespace["memory"] = Memory()
            place = _Attribute(namespace)
            with fake(place, "gateway", Gateway(), key="key", reads=("find",)) as gateway:
                yield lambda: {
                    "charges": gateway.calls,
                    **{name: getattr(memory, name) for name in self.shown},
                }

        try:
            yield namespace["job"], world
        finally:
            del linecache.cache[filename]

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
