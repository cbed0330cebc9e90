"""Redis, of which there are no copies: what a job stores there would be there in the next history too."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import is_explored, refuse_delivery

_NOT_COPIED: Final = (
    "The job uses redis, which the check does not copy from the test, so that each history would find what the "
    "last one has left. Build it in a world that has copies of everything else: `with here() as state, "
    "redis_world(bind=(module, 'client')) as redis: yield lambda: {**state(), 'redis': redis.dump()}`."
)
#: The module of clients, and its classes of pools.
_POOLS: Final = (
    ("redis.connection", ("ConnectionPool", "BlockingConnectionPool")),
    ("redis.asyncio.connection", ("ConnectionPool", "BlockingConnectionPool")),
)


@contextmanager
def refusing_redis() -> Generator[None, None, None]:
    """Refuse deliveries that use redis, for a block."""
    patches = Patches()
    for name, kinds in _POOLS:
        module: Any = sys.modules.get(name)
        for kind in () if module is None else [getattr(module, kind) for kind in kinds]:
            if "get_connection" in vars(kind):
                patches.set(kind, "get_connection", _refusing(kind.get_connection))
    try:
        yield
    finally:
        patches.restore()


def _refusing(get_connection: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(get_connection)
    def refused(*args: Any, **kwargs: Any) -> Any:
        if is_explored():
            refuse_delivery(_NOT_COPIED)
        return get_connection(*args, **kwargs)

    return refused
