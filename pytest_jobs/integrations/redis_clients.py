"""Clients of redis that are passed in."""

from __future__ import annotations

from inspect import iscoroutinefunction

from ..errors import DeclarationError


def check_client(client: object, taker: str, asks: str) -> None:
    """Check that a client of redis is one, and that its answers need not be awaited.

    Args:
        client: what was passed.
        taker: the name of the class that takes it.
        asks: who asks it, as in `a store asks`.

    Raises:
        DeclarationError: when it is none.
    """
    execute = getattr(client, "execute_command", None)
    if execute is None:
        raise DeclarationError(
            f"{taker}({client!r}) is given no client of redis: write "
            f"{taker}(redis.Redis.from_url('redis://localhost', socket_timeout=5))."
        )
    if iscoroutinefunction(execute):
        raise DeclarationError(
            f"{taker}({client!r}) is given a client of redis.asyncio, and {asks} without awaiting, for jobs are "
            "enqueued in plain functions too: give it a redis.Redis."
        )
