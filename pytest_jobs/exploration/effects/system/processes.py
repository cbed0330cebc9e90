"""What jobs let other processes of their program do, and the memory that they share with them.

Each source here is for one module of the standard library, which most programs never import.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import Unwound, Watch, watcher
from ...stores.files import logs
from ..wrapping import Source, after_calls, before_calls, in_delivery, source_of

#: The ends of pipes that deliveries have made. No other process has them: a job that starts one is refused.
_own_pipes: Final[WeakSet[Any]] = WeakSet()


def _refusing(library: str, **ways: tuple[str, ...]) -> Source:
    """Return a source that refuses calls of methods, by the names of their classes in a module.

    Calls are let through that are part of an effect, or hand over a record of a log.
    """

    def watch(patches: Patches, module: Any) -> None:
        for owner, names in ways.items():
            # The classes of all start methods have one base, which nobody calls by its name.
            shown = owner.removeprefix("Base").removeprefix("_ConnectionBase") or "Connection"
            for name in names:
                refuse = functools.partial(_refuse, f"{shown}.{name}")
                before_calls(patches, getattr(module, owner), name, refuse)

    return Source(library, watch)


def _refuse(way: str, current: Watch, owner: Any, *args: Any, **kwargs: Any) -> None:
    if getattr(owner, "_writer", owner) not in _own_pipes and not logs():
        # The function that runs in the other process, or else what is sent there.
        given = args[0] if args else getattr(owner, "_target", None)
        shown = getattr(given, "__name__", "" if given is None else repr(given))
        current.outside(f"{way}({shown})")


process: Final = _refusing("multiprocessing.process", BaseProcess=("start",))
queues: Final = _refusing(
    "multiprocessing.queues", Queue=("put",), JoinableQueue=("put",), SimpleQueue=("put",)
)
executor: Final = _refusing("concurrent.futures.process", ProcessPoolExecutor=("submit",))
_sending: Final = _refusing("multiprocessing.connection", _ConnectionBase=("send", "send_bytes"))


@source_of("multiprocessing.connection")
def connection(patches: Patches, module: Any) -> None:
    """Refuse what is sent, but by pipes that stay inside the process, such as that of a pool of threads."""
    _sending.install(patches)

    def made(returned: None, connection: Any, *args: Any, **kwargs: Any) -> None:
        if watcher.get() is not None:
            _own_pipes.add(connection)

    after_calls(patches, vars(module)["_ConnectionBase"], "__init__", made)


@source_of("multiprocessing.pool")
def pools(patches: Patches, module: Any) -> None:
    """Refuse work for processes, and watch work for threads with the delivery.

    A pool may be older than the check, so that no process starts.
    """
    ways = ("apply_async", "imap", "imap_unordered", "map", "map_async", "starmap", "starmap_async")

    def called(
        current: Watch, genuine: Any, pool: Any, func: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if isinstance(pool, module.ThreadPool):
            pool, func = _own_pool(current, pool), _in_context(func, current)
        else:
            _refuse(f"Pool.{genuine.__name__}", current, pool, func)
        return genuine(pool, func, *args, **kwargs)

    def opened(current: Watch, genuine: Any, pool: Any, *args: Any, **kwargs: Any) -> None:
        genuine(pool, *args, **kwargs)
        current.pools[pool] = pool

    for name in ways:
        in_delivery(patches, module.Pool, name, called)
    in_delivery(patches, module.ThreadPool, "__init__", opened)


def _own_pool(current: Watch, pool: Any) -> Any:
    """Return the pool of threads that a delivery has in the place of one that was open before."""
    if pool not in current.pools:
        own = type(pool)(pool._processes, pool._initializer, pool._initargs)
        current.of_history.undo_by(own.terminate)
        current.pools[pool] = own
    return current.pools[pool]


def _in_context(function: Callable[..., Any], current: Watch) -> Callable[..., Any]:
    """Return a function that runs as a part of the delivery, in whichever thread it is called."""
    context = contextvars.copy_context()

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return context.copy().run(function, *args, **kwargs)
        except Unwound:
            # It would end the thread of the pool. The caller, who is dead as well, ends when it has an answer.
            return None
        finally:
            current.baton.let_go()

    return run


@source_of("multiprocessing.shared_memory")
def shared_memory(patches: Patches, module: Any) -> None:
    """Refuse blocks of memory that the world has not made: nobody hears what is written there."""
    kind: Any = module.SharedMemory
    buffer = kind.buf.fget
    of_world: set[str] = set()

    def opening(current: Watch, memory: Any, name: Any = None, *args: Any, **kwargs: Any) -> None:
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
