"""What jobs let other processes of their program do, and the memory that they share with them.

Each source here is for one module of the standard library, which most programs never import.
"""

from __future__ import annotations

import contextvars
import functools
import sys
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from .callers import logs

#: The ends of pipes that deliveries have made. No other process has them: a job that starts one is refused.
_own_pipes: Final[WeakSet[Any]] = WeakSet()


class _Source:
    """Refuses the calls of some methods of a module."""

    def __init__(self, library: str, ways: tuple[tuple[str, str], ...]) -> None:
        """Name the methods."""
        self.library = library
        self._ways = ways

    def install(self, patches: Patches) -> None:
        """Refuse the calls, unless they are part of an effect or hand over a record of a log."""
        module: Any = sys.modules[self.library]
        for owner, name in self._ways:
            kind = getattr(module, owner)
            # The classes of all start methods have one base, which nobody calls by its name.
            shown = owner.removeprefix("Base").removeprefix("_ConnectionBase") or "Connection"
            patches.set(kind, name, _refused(getattr(kind, name), f"{shown}.{name}"))


def _refused(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(owner: Any, *args: Any, **kwargs: Any) -> Any:
        current = watcher.get()
        pipe = getattr(owner, "_writer", owner)
        if current is not None and pipe not in _own_pipes and not logs():
            current.outside(f"{name}({_named(owner, args)})")
        return function(owner, *args, **kwargs)

    return called


def _named(owner: Any, args: tuple[Any, ...]) -> str:
    """Return the name of the function that runs in the other process, or else what is sent there."""
    given = args[0] if args else getattr(owner, "_target", None)
    return str(getattr(given, "__name__", "" if given is None else repr(given)))


process: Final = _Source("multiprocessing.process", (("BaseProcess", "start"),))
queues: Final = _Source(
    "multiprocessing.queues", (("Queue", "put"), ("JoinableQueue", "put"), ("SimpleQueue", "put"))
)


class _Connections(_Source):
    """Notes the pipes that stay inside the process, such as that of a pool of threads."""

    def install(self, patches: Patches) -> None:
        super().install(patches)
        kind: Any = vars(sys.modules[self.library])["_ConnectionBase"]
        init = kind.__init__

        @functools.wraps(init)
        def made(connection: Any, *args: Any, **kwargs: Any) -> None:
            init(connection, *args, **kwargs)
            if watcher.get() is not None:
                _own_pipes.add(connection)

        patches.set(kind, "__init__", made)


connection: Final = _Connections(
    "multiprocessing.connection", (("_ConnectionBase", "send"), ("_ConnectionBase", "send_bytes"))
)
executor: Final = _Source("concurrent.futures.process", (("ProcessPoolExecutor", "submit"),))


class _Pools:
    """The source for pools, which may be older than the check, so that no process starts."""

    library: Final = "multiprocessing.pool"
    _WAYS: Final = (
        "apply_async",
        "imap",
        "imap_unordered",
        "map",
        "map_async",
        "starmap",
        "starmap_async",
    )

    def install(self, patches: Patches) -> None:
        """Refuse work for processes, and watch work for threads with the delivery."""
        module: Any = sys.modules[self.library]
        for name in self._WAYS:
            genuine = getattr(module.Pool, name)
            watched = self._watched(genuine, _refused(genuine, f"Pool.{name}"), module.ThreadPool)
            patches.set(module.Pool, name, watched)

    def _watched(
        self, genuine: Callable[..., Any], refused: Callable[..., Any], threads: type
    ) -> Callable[..., Any]:
        @functools.wraps(genuine)
        def called(pool: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(pool, threads):
                return refused(pool, func, *args, **kwargs)
            return genuine(pool, _in_context(func), *args, **kwargs)

        return called


def _in_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs as a part of the delivery, in whichever thread it is called."""
    current = watcher.get()
    if current is None:
        return function
    current.begun(function)
    context = contextvars.copy_context()

    def run(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)

    return run


pools: Final = _Pools()


class _SharedMemory:
    """The source for memory that processes share: what is written there is no call."""

    library: Final = "multiprocessing.shared_memory"

    def install(self, patches: Patches) -> None:
        """Refuse blocks of memory that the world has not made."""
        kind: Any = sys.modules[self.library].SharedMemory
        init, buffer = kind.__init__, kind.buf.fget
        of_world: set[str] = set()

        @functools.wraps(init)
        def init_watched(memory: Any, name: str | None = None, *args: Any, **kwargs: Any) -> None:
            current = watcher.get()
            if current is not None and name not in of_world:
                current.outside(f"SharedMemory({name!r})")
            init(memory, name, *args, **kwargs)
            if current is None:
                of_world.add(memory.name)

        @functools.wraps(buffer)
        def buffer_watched(memory: Any) -> Any:
            current = watcher.get()
            if current is not None and memory.name not in of_world:
                current.outside(f"SharedMemory.buf of {memory.name!r}")
            return buffer(memory)

        patches.set(kind, "__init__", init_watched)
        patches.set(kind, "buf", property(buffer_watched))


shared_memory: Final = _SharedMemory()
