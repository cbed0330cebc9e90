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
from ...engine.acts import ActWatcher, watcher
from ...stores.files import logs
from ..wrapping import after_calls, before_calls, source_of

#: The ends of pipes that deliveries have made. No other process has them: a job that starts one is refused.
_own_pipes: Final[WeakSet[Any]] = WeakSet()


class _Source:
    def __init__(self, library: str, ways: tuple[tuple[str, str], ...]) -> None:
        self.library = library
        self._ways = ways

    def install(self, patches: Patches) -> None:
        """Refuse the calls, unless they are part of an effect or hand over a record of a log."""
        module: Any = sys.modules[self.library]
        for owner, name in self._ways:
            kind = getattr(module, owner)
            # The classes of all start methods have one base, which nobody calls by its name.
            shown = owner.removeprefix("Base").removeprefix("_ConnectionBase") or "Connection"
            before_calls(patches, kind, name, functools.partial(_refuse, f"{shown}.{name}"))


def _refuse(way: str, current: ActWatcher, owner: Any, *args: Any, **kwargs: Any) -> None:
    if getattr(owner, "_writer", owner) not in _own_pipes and not logs():
        # The function that runs in the other process, or else what is sent there.
        given = args[0] if args else getattr(owner, "_target", None)
        shown = getattr(given, "__name__", "" if given is None else repr(given))
        current.outside(f"{way}({shown})")


process: Final = _Source("multiprocessing.process", (("BaseProcess", "start"),))
queues: Final = _Source(
    "multiprocessing.queues", (("Queue", "put"), ("JoinableQueue", "put"), ("SimpleQueue", "put"))
)


class _Connections(_Source):
    """Notes the pipes that stay inside the process, such as that of a pool of threads."""

    def install(self, patches: Patches) -> None:
        super().install(patches)
        kind: Any = vars(sys.modules[self.library])["_ConnectionBase"]
        after_calls(patches, kind, "__init__", self._made)

    def _made(self, returned: None, connection: Any, *args: Any, **kwargs: Any) -> None:
        if watcher.get() is not None:
            _own_pipes.add(connection)


connection: Final = _Connections(
    "multiprocessing.connection", (("_ConnectionBase", "send"), ("_ConnectionBase", "send_bytes"))
)
executor: Final = _Source("concurrent.futures.process", (("ProcessPoolExecutor", "submit"),))


class _Pools:
    """The source for pools, which may be older than the check, so that no process starts."""

    library: Final = "multiprocessing.pool"
    _WAYS: Final = (
        *("apply_async", "imap", "imap_unordered", "map", "map_async"),
        *("starmap", "starmap_async"),
    )

    def install(self, patches: Patches) -> None:
        """Refuse work for processes, and watch work for threads with the delivery."""
        module: Any = sys.modules[self.library]
        for name in self._WAYS:
            patches.set(module.Pool, name, self._watched(module, name))

    def _watched(self, module: Any, name: str) -> Callable[..., Any]:
        genuine = getattr(module.Pool, name)

        @functools.wraps(genuine)
        def called(pool: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is not None and isinstance(pool, module.ThreadPool):
                func = _in_context(func, current)
            elif current is not None:
                _refuse(f"Pool.{name}", current, pool, func)
            return genuine(pool, func, *args, **kwargs)

        return called


def _in_context(function: Callable[..., Any], current: ActWatcher) -> Callable[..., Any]:
    """Return a function that runs as a part of the delivery, in whichever thread it is called."""
    current.begun(function)
    context = contextvars.copy_context()

    def run(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)

    return run


pools: Final = _Pools()


@source_of("multiprocessing.shared_memory")
def shared_memory(patches: Patches, module: Any) -> None:
    """Refuse blocks of memory that the world has not made: nobody hears what is written there."""
    kind: Any = module.SharedMemory
    buffer = kind.buf.fget
    of_world: set[str] = set()

    def opening(
        current: ActWatcher, memory: Any, name: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if name not in of_world:
            current.outside(f"SharedMemory({name!r})")

    def opened(returned: None, memory: Any, *args: Any, **kwargs: Any) -> None:
        if watcher.get() is None:
            of_world.add(memory.name)

    def buffer_watched(memory: Any) -> Any:
        current = watcher.get()
        if current is not None and memory.name not in of_world:
            current.outside(f"SharedMemory.buf of {memory.name!r}")
        return buffer(memory)

    before_calls(patches, kind, "__init__", opening)
    after_calls(patches, kind, "__init__", opened)
    patches.set(kind, "buf", property(buffer_watched))
