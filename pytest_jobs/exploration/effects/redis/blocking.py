"""What jobs do to redis, by the client `redis` and by fakeredis."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking, note_effect, perform_act, watcher
from . import awaited
from .commands import (
    ON_ITS_WAY,
    CheckedOut,
    Command,
    act_of,
    act_of_lock,
    act_of_script,
    act_of_transaction,
    check_owned,
    give_way,
    is_empty,
    is_of_delivery,
    messages_in,
    no_message_to_come,
    note_pipeline,
    nothing_to_come,
    pass_time,
    remaining,
    together,
    waits_for_ever,
)

library: Final = "redis"


def install(patches: Patches) -> None:
    """Hear of the commands of all clients, also of those that were made before.

    No command waits in real time: what it waits for comes from a delivery that is suspended, or not
    at all.
    """
    from redis import client, connection
    from redis.commands.core import Script
    from redis.lock import Lock

    execute = client.Pipeline.execute
    patches.set(client.Redis, "execute_command", _commanding(client.Redis.execute_command, execute))
    immediately = client.Pipeline.immediate_execute_command
    holding = _holding(_commanding(immediately, execute))
    patches.set(client.Pipeline, "immediate_execute_command", holding)
    patches.set(client.Pipeline, "execute", _executing(execute))
    patches.set(client.Pipeline, "reset", _owned(client.Pipeline.reset))
    patches.set(client.PubSub, "execute_command", _owned(client.PubSub.execute_command))
    patches.set(client.PubSub, "parse_response", _receiving(client.PubSub.parse_response))
    patches.set(Script, "__call__", _running(Script.__call__))
    patches.set(Lock, "acquire", _acquiring(Lock.acquire))
    checked_out = CheckedOut()
    for pool in (connection.ConnectionPool, connection.BlockingConnectionPool):
        patches.set(pool, "get_connection", _checking_out(pool.get_connection, checked_out))
        patches.set(pool, "release", _checking_in(pool.release, checked_out))
    sending = connection.AbstractConnection.send_packed_command
    patches.set(connection.AbstractConnection, "send_packed_command", _sending(sending))
    awaited.install(patches)


def _commanding(command: Callable[..., Any], execute: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def execute_command(client: Any, *args: Any, **options: Any) -> Any:
        if watcher.get() is None:
            return command(client, *args, **options)
        wanted = Command(args)
        if wanted.waits is None:
            return _heard(wanted, lambda: command(client, *args, **options))
        return _heard(
            wanted, lambda: _waited(wanted, lambda: _at_once(client, execute, args, options))
        )

    return execute_command


def _holding(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def execute_command(pipeline: Any, *args: Any, **options: Any) -> Any:
        if pipeline.connection is None:
            note_pipeline(pipeline)
        return command(pipeline, *args, **options)

    return execute_command


def _heard(command: Command, do: Callable[[], Any]) -> Any:
    if command.reads:
        with looking(waits_for_ever):
            return do()
    return perform_act(act_of(command), do)


def _at_once(
    client: Any, execute: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Do a command that waits, without its waiting: in a transaction none does."""
    from redis.client import Pipeline

    alone: Any = Pipeline(client.connection_pool, client.response_callbacks, True, None)
    alone.execute_command(*args, **options)
    (answer,) = execute(alone)
    return answer


def _waited(command: Command, do: Callable[[], Any]) -> Any:
    answer = do()
    if is_empty(answer):
        if not command.waits:
            raise nothing_to_come(command)
        pass_time(command.waits)
    return answer


def _executing(execute: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(execute)
    def executed(pipeline: Any, raise_on_error: bool = True) -> Any:
        if watcher.get() is None:
            return execute(pipeline, raise_on_error)
        try:
            if pipeline.transaction or pipeline.explicit_transaction:
                return _all_together(pipeline, lambda: execute(pipeline, raise_on_error))
            return _one_by_one(pipeline, execute, raise_on_error)
        finally:
            # As at the end of every execution, whether it went well or not.
            pipeline.reset()

    return executed


def _all_together(pipeline: Any, do: Callable[[], Any]) -> Any:
    commands = [Command(args) for args, _ in pipeline.command_stack]
    if all(command.reads for command in commands):
        with looking():
            return do()
    answers = perform_act(act_of_transaction(commands, watching=pipeline.watching), do)
    for message in messages_in(commands):
        note_effect(message)
    return answers


def _one_by_one(pipeline: Any, execute: Callable[..., Any], raise_on_error: bool) -> Any:
    """Execute a pipeline that is no transaction: its commands stand alone on their server."""
    stack = pipeline.command_stack
    scripts = pipeline.scripts
    answers: list[Any] = []
    for args, options in stack:
        command = Command(args)

        def do(args: Any = args, options: Any = options, command: Command = command) -> Any:
            pipeline.command_stack = [(args, options)]
            pipeline.scripts = scripts
            if command.waits is None:
                return execute(pipeline, False)[0]
            with together(pipeline, "transaction"):
                return _waited(command, lambda: execute(pipeline, False)[0])

        answers.append(_heard(command, do))
    if raise_on_error:
        pipeline.raise_first_error(stack, answers)
    return answers


def _receiving(parse_response: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(parse_response)
    def received(pubsub: Any, block: bool = True, timeout: float = 0) -> Any:
        if watcher.get() is None:
            return parse_response(pubsub, block, timeout)
        with looking(waits_for_ever):
            answer = parse_response(pubsub, False, ON_ITS_WAY)
            if answer is None and block:
                raise no_message_to_come()
            if answer is None:
                pass_time(timeout)
            return answer

    return received


def _running(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def ran(script: Any, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        from redis.client import Pipeline

        used = script.registered_client if client is None else client
        if watcher.get() is None or isinstance(used, Pipeline):
            return run(script, keys, args, client)
        act = act_of_script(script.script, tuple(keys or ()), tuple(args or ()))
        return perform_act(act, lambda: run(script, keys, args, client))

    return ran


def _acquiring(acquire: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(acquire)
    def acquired(
        lock: Any,
        sleep: Any = None,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: Any = None,
    ) -> bool:
        if watcher.get() is None or not is_of_delivery():
            return bool(acquire(lock, sleep, blocking, blocking_timeout, token))
        # Its own token is made of the clock and the address of the machine, so that none is like another.
        token = uuid.uuid4().hex if token is None else token
        patient = lock.blocking if blocking is None else blocking
        limit = lock.blocking_timeout if blocking_timeout is None else blocking_timeout
        return perform_act(
            act_of_lock(lock),
            lambda: _taken(lock, lambda: acquire(lock, sleep, False, None, token), patient, limit),
        )

    return acquired


def _taken(lock: Any, attempt: Callable[[], bool], patient: bool, limit: float | None) -> bool:
    """Take a lock, and let the time pass for which another has it.

    Args:
        lock: the lock.
        attempt: tries once.
        patient: whether to wait.
        limit: for how many seconds at most; None for as long as it takes.
    """
    waited = 0.0
    while not attempt():
        if not patient:
            return False
        give_way()
        left = None if limit is None else limit - waited
        pause = remaining(lock.name, lock.redis.pttl(lock.name), left)
        if pause is None:
            pass_time(left or 0)
            return False
        pass_time(pause)
        waited += pause
    return True


def _owned(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def owned(self: Any, *args: Any, **kwargs: Any) -> Any:
        with looking():
            return method(self, *args, **kwargs)

    return owned


def _checking_out(get: Callable[..., Any], checked_out: CheckedOut) -> Callable[..., Any]:
    @functools.wraps(get)
    def got(pool: Any, *args: Any, **kwargs: Any) -> Any:
        if watcher.get() is None:
            return get(pool, *args, **kwargs)
        with looking():
            connection = get(pool, *args, **kwargs)
        checked_out.note(connection)
        return connection

    return got


def _checking_in(release: Callable[..., Any], checked_out: CheckedOut) -> Callable[..., Any]:
    @functools.wraps(release)
    def released(pool: Any, connection: Any) -> Any:
        checked_out.discard(connection)
        return release(pool, connection)

    return released


def _sending(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sent(connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        check_owned(command)
        return send(connection, command, *args, **kwargs)

    return sent
