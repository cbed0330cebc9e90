"""What coroutine jobs do to redis, by `redis.asyncio` and by fakeredis."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking, note_connection, note_effect, perform_act_async, watcher
from .commands import (
    ON_ITS_WAY,
    Command,
    act_of,
    act_of_lock,
    act_of_script,
    act_of_transaction,
    check_owned,
    give_way,
    is_empty,
    messages_in,
    no_message_to_come,
    note_pipeline,
    nothing_to_come,
    pass_time,
    remaining,
    together,
    waits_for_ever,
)

#: In seconds of the virtual clock: how often other tasks are given a turn, and how long in all.
_STEP: Final = 0.1
_PATIENCE: Final = 60.0


def install(patches: Patches) -> None:
    """Hear of the commands of all clients that are awaited."""
    from redis.asyncio import client, connection
    from redis.asyncio.lock import Lock
    from redis.commands.core import AsyncScript

    execute = client.Pipeline.execute
    patches.set(client.Redis, "execute_command", _commanding(client.Redis.execute_command, execute))
    immediately = client.Pipeline.immediate_execute_command
    patches.set(
        client.Pipeline, "immediate_execute_command", _holding(_commanding(immediately, execute))
    )
    patches.set(client.Pipeline, "execute", _executing(execute))
    patches.set(client.Pipeline, "reset", _owned(client.Pipeline.reset))
    patches.set(client.PubSub, "execute_command", _owned(client.PubSub.execute_command))
    patches.set(client.PubSub, "parse_response", _receiving(client.PubSub.parse_response))
    patches.set(AsyncScript, "__call__", _running(AsyncScript.__call__))
    patches.set(Lock, "acquire", _acquiring(Lock.acquire))
    of_all = connection.AbstractConnection
    patches.set(of_all, "connect", _connecting(of_all.connect))
    patches.set(of_all, "send_packed_command", _sending(of_all.send_packed_command))


def _commanding(command: Callable[..., Any], execute: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    async def execute_command(client: Any, *args: Any, **options: Any) -> Any:
        if watcher.get() is None:
            return await command(client, *args, **options)
        wanted = Command(args)
        if wanted.waits is None:
            return await _heard(wanted, lambda: command(client, *args, **options))
        return await _heard(
            wanted, lambda: _waited(wanted, lambda: _at_once(client, execute, args, options))
        )

    return execute_command


def _holding(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    async def execute_command(pipeline: Any, *args: Any, **options: Any) -> Any:
        if pipeline.connection is None:
            note_pipeline(pipeline)
        return await command(pipeline, *args, **options)

    return execute_command


async def _heard(command: Command, do: Callable[[], Awaitable[Any]]) -> Any:
    if command.reads:
        with looking(waits_for_ever):
            return await do()
    return await perform_act_async(act_of(command), do)


async def _at_once(
    client: Any, execute: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Do a command that waits, without its waiting: in a transaction none does."""
    from redis.asyncio.client import Pipeline

    alone: Any = Pipeline(client.connection_pool, client.response_callbacks, True, None)
    alone.execute_command(*args, **options)
    (answer,) = await execute(alone)
    return answer


async def _waited(command: Command, do: Callable[[], Awaitable[Any]]) -> Any:
    answer = await do()
    waited = 0.0
    while is_empty(answer):
        if (not command.waits or waited < command.waits) and await _others_went_on(waited):
            waited += _STEP
            answer = await do()
        elif not command.waits:
            raise nothing_to_come(command)
        else:
            pass_time(command.waits - waited)
            break
    return answer


async def _others_went_on(waited: float) -> bool:
    """Let the other tasks of the job go on, from which may come what this one waits for."""
    if waited > _PATIENCE or len(asyncio.all_tasks()) == 1:
        return False
    await asyncio.sleep(_STEP)
    return True


def _executing(execute: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(execute)
    async def executed(pipeline: Any, raise_on_error: bool = True) -> Any:
        if watcher.get() is None:
            return await execute(pipeline, raise_on_error)
        try:
            if pipeline.is_transaction or pipeline.explicit_transaction:
                return await _all_together(pipeline, lambda: execute(pipeline, raise_on_error))
            return await _one_by_one(pipeline, execute, raise_on_error)
        finally:
            # As at the end of every execution, whether it went well or not.
            await pipeline.reset()

    return executed


async def _all_together(pipeline: Any, do: Callable[[], Awaitable[Any]]) -> Any:
    commands = [Command(args) for args, _ in pipeline.command_stack]
    if all(command.reads for command in commands):
        with looking():
            return await do()
    act = act_of_transaction(commands, watching=pipeline.watching)
    answers = await perform_act_async(act, do)
    for message in messages_in(commands):
        note_effect(message)
    return answers


async def _one_by_one(pipeline: Any, execute: Callable[..., Any], raise_on_error: bool) -> Any:
    """Execute a pipeline that is no transaction: its commands stand alone on their server."""
    stack = pipeline.command_stack
    scripts = pipeline.scripts
    answers: list[Any] = []
    for args, options in stack:
        command = Command(args)

        async def do(args: Any = args, options: Any = options, command: Command = command) -> Any:
            pipeline.command_stack = [(args, options)]
            pipeline.scripts = scripts
            if command.waits is None:
                return (await execute(pipeline, False))[0]
            with together(pipeline, "is_transaction"):
                return await _waited(command, lambda: _first(execute(pipeline, False)))

        answers.append(await _heard(command, do))
    if raise_on_error:
        pipeline.raise_first_error(stack, answers)
    return answers


async def _first(answers: Awaitable[list[Any]]) -> Any:
    return (await answers)[0]


def _receiving(parse_response: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(parse_response)
    async def received(pubsub: Any, block: bool = True, timeout: float = 0) -> Any:  # noqa: ASYNC109 - that of redis
        if watcher.get() is None:
            return await parse_response(pubsub, block, timeout)
        with looking(waits_for_ever):
            answer = await parse_response(pubsub, False, ON_ITS_WAY)
            if answer is None and block:
                raise no_message_to_come()
            if answer is None:
                pass_time(timeout)
            return answer

    return received


def _running(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    async def ran(script: Any, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        from redis.asyncio.client import Pipeline

        used = script.registered_client if client is None else client
        if watcher.get() is None or isinstance(used, Pipeline):
            return await run(script, keys, args, client)
        act = act_of_script(script.script, tuple(keys or ()), tuple(args or ()))
        return await perform_act_async(act, lambda: run(script, keys, args, client))

    return ran


def _acquiring(acquire: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(acquire)
    async def acquired(
        lock: Any,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: Any = None,
    ) -> bool:
        if watcher.get() is None:
            return bool(await acquire(lock, blocking, blocking_timeout, token))
        # Its own token is made of the clock and the address of the machine, so that none is like another.
        token = uuid.uuid4().hex if token is None else token
        patient = lock.blocking if blocking is None else blocking
        limit = lock.blocking_timeout if blocking_timeout is None else blocking_timeout

        async def attempt() -> bool:
            return bool(await acquire(lock, False, None, token))

        return await perform_act_async(
            act_of_lock(lock), lambda: _taken(lock, attempt, patient, limit)
        )

    return acquired


async def _taken(
    lock: Any, attempt: Callable[[], Awaitable[bool]], patient: bool, limit: float | None
) -> bool:
    """Take a lock, and let the time pass for which another has it.

    Args:
        lock: the lock.
        attempt: tries once.
        patient: whether to wait.
        limit: for how many seconds at most; None for as long as it takes.
    """
    waited = 0.0
    while not await attempt():
        if not patient:
            return False
        give_way()
        if (limit is None or waited < limit) and await _others_went_on(waited):
            waited += _STEP
            continue
        left = None if limit is None else limit - waited
        pause = remaining(lock.name, await lock.redis.pttl(lock.name), left)
        if pause is None:
            pass_time(left or 0)
            return False
        pass_time(pause)
        waited += pause
    return True


def _owned(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def owned(self: Any, *args: Any, **kwargs: Any) -> Any:
        with looking():
            return await method(self, *args, **kwargs)

    return owned


def _connecting(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    async def connected(connection: Any, *args: Any, **kwargs: Any) -> Any:
        if watcher.get() is None:
            return await connect(connection, *args, **kwargs)
        vars(connection).pop("disconnect", None)
        # Without its loop it can be of no use to another delivery, so it is closed in its pool too.
        note_connection(lambda: _close(connection))
        with looking():
            return await connect(connection, *args, **kwargs)

    return connected


def _sending(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    async def sent(connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        check_owned(command)
        return await send(connection, command, *args, **kwargs)

    return sent


def _close(connection: Any) -> None:
    """Close a connection without its loop, which may stand still, as the kernel does."""
    connection._close()
    connection._writer = _Nowhere()
    # What a dead delivery does in its end must not take that away under what it has begun to send.
    connection.disconnect = _do_nothing


async def _do_nothing(*args: object, **kwargs: object) -> None:
    pass


class _Nowhere:
    """Takes what a dead delivery still sends; a connection that has it is not open."""

    def __bool__(self) -> bool:
        return False

    def writelines(self, data: object) -> None:
        pass

    async def drain(self) -> None:
        pass
