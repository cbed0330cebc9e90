"""The clients of redis, blocking and awaited, whose commands become effects."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final
from weakref import WeakSet

import redis.asyncio.client
import redis.asyncio.connection
import redis.asyncio.lock
import redis.client
import redis.commands.core
import redis.connection
import redis.lock

from ....bridges.libraries.redis_servers import is_stand_in, reporting_afterwards
from ....harness.records.patches import Patches
from ...engine.acts import acting, looking, note_connection, note_effect, watcher
from ..wrapping import at_once, in_delivery, result_of, surround
from .commands import (
    Command,
    act_of_lock,
    act_of_script,
    act_together,
    lock_without_owner,
    nothing_to_come,
    waits_for_ever,
)
from .keys import guarded_server, note_keys

library: Final = "redis"

#: In real seconds: how long to look for a message that is on its way.
_ON_ITS_WAY: Final = 0.02
#: In seconds of the virtual clock: how often the other tasks of a coroutine job get a turn.
_STEP: Final = 0.1
#: In seconds of the virtual clock: how long the other tasks get turns in all.
_PATIENCE: Final = 60.0

#: What takes the place of a method: it gets the genuine method, then what the method gets.
Replacement = Callable[..., Coroutine[Any, Any, Any]]


def install(patches: Patches) -> None:
    """Watch the commands of all clients, also of those that were made before.

    No command waits in real time: either a suspended delivery would have to bring what it waits for, or nobody.
    """
    _Blocking().install(patches)
    _Awaited().install(patches)


class _Clients:
    """One kind of clients, and what takes the place of their methods.

    Both kinds do the same, so each replacement is written once, as a coroutine. For a blocking client it
    waits for nothing.
    """

    #: The module of the clients, the class of scripts, and the class of locks.
    client: Any
    script: Any
    lock: Any
    #: The attribute by which a pipeline says whether it is a transaction.
    is_transaction: str
    is_awaited = False

    def __init__(self) -> None:
        #: The genuine method, which runs a command that waits in a transaction of its own.
        self.execute = self.client.Pipeline.execute

    def install(self, patches: Patches) -> None:
        """Replace the methods through which every command goes.

        `execute_command` is the way of single commands, and `Pipeline.execute` that of pipelines.
        `immediate_execute_command` is the way of a pipeline that watches keys. A script loads itself with a
        second command, a lock tries again and again, and a subscriber only reads: each has a place of its own.
        """
        pipeline, pubsub = self.client.Pipeline, self.client.PubSub
        for owner, name, replacement in (
            (self.client.Redis, "execute_command", self._command),
            (pipeline, "immediate_execute_command", self._command_of_pipeline),
            (pipeline, "execute", self._pipeline),
            (pubsub, "parse_response", self._message),
            (self.script, "__call__", self._script),
            (self.lock, "acquire", self._lock),
        ):
            in_delivery(patches, owner, name, self.replaced(replacement))
        # Outermost, since an account counts what the world and its snapshot do as well.
        surround(patches, self.client.Redis, "execute_command", _noted)
        surround(patches, pipeline, "immediate_execute_command", _noted)
        surround(patches, pipeline, "execute", _noted_together)
        for owner, name in ((pipeline, "reset"), (pubsub, "execute_command")):
            surround(patches, owner, name, lambda *args, **kwargs: looking())

    def replaced(self, replacement: Replacement) -> Callable[..., Any]:
        """Return what is called in a delivery, for `in_delivery`."""

        async def method(current: Any, genuine: Any, owner: Any, *args: Any, **kwargs: Any) -> Any:
            # The client of a script or a lock. A bridge has clients for what its library keeps.
            used = getattr(owner, "registered_client", owner)
            used = getattr(used, "redis", used)
            if not is_stand_in(used):
                return await replacement(genuine, owner, *args, **kwargs)
            with nullcontext() if self.is_awaited else reporting_afterwards(used), looking():
                return await result_of(genuine(owner, *args, **kwargs))

        return method if self.is_awaited else at_once(method)

    async def others_went_on(self, waited: float) -> bool:
        """Let the other tasks of the job go on, which may bring what this one waits for; False without any."""
        if not self.is_awaited or waited > _PATIENCE or len(asyncio.all_tasks()) == 1:
            return False
        await asyncio.sleep(_STEP)
        return True

    async def _command(self, genuine: Any, client: Any, *args: Any, **options: Any) -> Any:
        command = Command(args)
        with _block_of(command):
            if command.waits is None:
                return await result_of(genuine(client, *args, **options))
            return await self._waited(command, lambda: self._at_once(client, args, options))

    async def _command_of_pipeline(
        self, genuine: Any, pipeline: Any, *args: Any, **options: Any
    ) -> Any:
        if pipeline.connection is None:
            # When its delivery is over, the pipeline must forget the connection that it is about to take:
            # otherwise it would connect again to send UNWATCH, whenever its memory is freed.
            def forget() -> None:
                pipeline.connection = None
                pipeline.watching = False

            note_connection(forget)
        return await self._command(genuine, pipeline, *args, **options)

    async def _at_once(self, client: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run a command that waits without waiting: redis waits for nothing inside a transaction."""
        alone: Any = self.client.Pipeline(
            client.connection_pool, client.response_callbacks, True, None
        )
        alone.execute_command(*args, **options)
        (answer,) = await result_of(self.execute(alone))
        return answer

    async def _waited(self, command: Command, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask until there is an answer, or until the command has waited long enough in virtual time."""
        answer = await ask()
        waited = 0.0
        while answer is None or (isinstance(answer, list | dict) and not answer):
            if (not command.waits or waited < command.waits) and await self.others_went_on(waited):
                waited += _STEP
                answer = await ask()
            elif not command.waits:
                raise nothing_to_come(command)
            else:
                _pass_time(command.waits - waited)
                break
        return answer

    async def _pipeline(self, genuine: Any, pipeline: Any, raise_on_error: bool = True) -> Any:
        try:
            commands = [Command(args) for args, _ in pipeline.command_stack]
            is_whole = getattr(pipeline, self.is_transaction) or pipeline.explicit_transaction
            if not is_whole and any(command.waits is not None for command in commands):
                return await self._one_by_one(genuine, pipeline, raise_on_error)
            if all(command.reads for command in commands):
                with looking():
                    return await result_of(genuine(pipeline, raise_on_error))
            # Without a transaction they are sent at once as well: no worker dies between two of them.
            word = "MULTI" if is_whole else "pipeline"
            with acting(act_together(word, commands, watching=pipeline.watching)):
                answers = await result_of(genuine(pipeline, raise_on_error))
            for command in commands:
                if command.publishes:
                    note_effect(command.act())
            return answers
        finally:
            # The genuine method ends so too, whether it succeeds or fails.
            await result_of(pipeline.reset())

    async def _one_by_one(self, execute: Any, pipeline: Any, raise_on_error: bool) -> Any:
        """Execute a pipeline that is not a transaction, and in which a command waits for the others to be done."""
        stack = pipeline.command_stack
        scripts = pipeline.scripts
        answers: list[Any] = []
        for args, options in stack:
            command = Command(args)

            async def ask(args: Any = args, options: Any = options) -> Any:
                pipeline.command_stack = [(args, options)]
                pipeline.scripts = scripts
                return (await result_of(execute(pipeline, False)))[0]

            with _block_of(command):
                if command.waits is None:
                    answers.append(await ask())
                else:
                    with self._in_transaction(pipeline):
                        answers.append(await self._waited(command, ask))
        if raise_on_error:
            pipeline.raise_first_error(stack, answers)
        return answers

    @contextmanager
    def _in_transaction(self, pipeline: Any) -> Generator[None, None, None]:
        """Let a pipeline be a transaction for a block, so that its command does not wait."""
        before = getattr(pipeline, self.is_transaction)
        setattr(pipeline, self.is_transaction, True)
        try:
            yield
        finally:
            setattr(pipeline, self.is_transaction, before)

    async def _message(
        self,
        genuine: Any,
        pubsub: Any,
        block: bool = True,
        timeout: float = 0,  # noqa: ASYNC109 - that of redis
    ) -> Any:
        with looking(waits_for_ever):
            answer = await result_of(genuine(pubsub, False, _ON_ITS_WAY))
            if answer is None and block:
                raise nothing_to_come("A subscriber")
            if answer is None:
                _pass_time(timeout)
            return answer

    async def _script(
        self,
        genuine: Any,
        script: Any,
        keys: Sequence[Any] | None = None,
        args: Sequence[Any] | None = None,
        client: Any = None,
    ) -> Any:
        used = script.registered_client if client is None else client
        # A pipeline only takes note of the script, and runs it with its other commands.
        queued = isinstance(used, self.client.Pipeline)
        act = act_of_script(script.script, tuple(keys or ()), tuple(args or ()))
        with acting(None if queued else act):
            return await result_of(genuine(script, keys, args, client))

    async def _lock(self, genuine: Any, lock: Any, *args: Any, **kwargs: Any) -> bool:
        if getattr(watcher.get(), "thread", None) not in (None, threading.get_ident()):
            # In a thread that the job began, sleeping takes real time, so the lock may wait by itself.
            return bool(await result_of(genuine(lock, *args, **kwargs)))
        asked = inspect.signature(genuine).bind(lock, *args, **kwargs).arguments
        patient = lock.blocking if asked.get("blocking") is None else asked["blocking"]
        limit = asked.get("blocking_timeout")
        limit = lock.blocking_timeout if limit is None else limit
        # redis-py makes its token by uuid1, of the clock and the address of the machine: the stored lock would
        # differ in every history. What uuid4 draws is compared by `engine/sameness.py`.
        token = uuid.uuid4().hex if asked.get("token") is None else asked["token"]
        attempt = {**asked, "blocking": False, "blocking_timeout": None, "token": token}
        with acting(act_of_lock(lock)):
            waited = 0.0
            while not await result_of(genuine(**attempt)):
                if not patient:
                    return False
                # The suspended delivery goes first, if there is one: the watch takes this error for a held lock.
                with suppress(BlockingIOError), looking(lambda error: True):
                    raise BlockingIOError
                if (limit is None or waited < limit) and await self.others_went_on(waited):
                    waited += _STEP
                    continue
                left = None if limit is None else limit - waited
                pause = _pause(lock.name, await result_of(lock.redis.pttl(lock.name)), left)
                if pause is None:
                    _pass_time(left or 0)
                    return False
                _pass_time(pause)
                waited += pause
            return True


class _Blocking(_Clients):
    client = redis.client
    script = redis.commands.core.Script
    lock = redis.lock.Lock
    is_transaction = "transaction"

    def install(self, patches: Patches) -> None:
        """Watch also which connections deliveries take out of pools: a worker that dies takes them with it."""
        super().install(patches)
        surround(patches, redis.connection.AbstractConnection, "send_packed_command", _sending)
        in_hand: WeakSet[Any] = WeakSet()

        def close(connection: Any) -> None:
            if connection in in_hand:
                connection.disconnect()

        def replace(pool: Any) -> None:
            release = pool.release

            @functools.wraps(release)
            def put_back(self: Any, connection: Any) -> Any:
                in_hand.discard(connection)
                return release(self, connection)

            in_delivery(patches, pool, "get_connection", get_connection)
            patches.set(pool, "release", put_back)

        def get_connection(current: Any, get: Any, pool: Any, *args: Any, **kwargs: Any) -> Any:
            if is_stand_in(pool):
                return get(pool, *args, **kwargs)
            with looking(), guarded_server(pool.connection_kwargs):
                connection = get(pool, *args, **kwargs)
            in_hand.add(connection)
            note_connection(functools.partial(close, connection))
            return connection

        replace(redis.connection.ConnectionPool)
        replace(redis.connection.BlockingConnectionPool)


class _Awaited(_Clients):
    client = redis.asyncio.client
    script = redis.commands.core.AsyncScript
    lock = redis.asyncio.lock.Lock
    is_transaction = "is_transaction"
    is_awaited = True

    def install(self, patches: Patches) -> None:
        """Watch also every connection that is made.

        It belongs to the loop of its delivery, so it is of no use to another one: it is closed also where it
        lies in its pool.
        """
        super().install(patches)
        connection_class: Any = redis.asyncio.connection.AbstractConnection
        surround(patches, connection_class, "send_packed_command", _sending)

        async def connected(
            current: Any, connect: Any, connection: Any, *args: Any, **kwargs: Any
        ) -> Any:
            vars(connection).pop("disconnect", None)
            note_connection(functools.partial(_close, connection))
            with looking(), guarded_server(vars(connection)):
                return await connect(connection, *args, **kwargs)

        in_delivery(patches, connection_class, "connect", connected)


def _noted(client: Any, *args: Any, **options: Any) -> AbstractContextManager[None]:
    if not is_stand_in(client):
        note_keys(client, Command(args))
    return nullcontext()


def _noted_together(pipeline: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    if not is_stand_in(pipeline):
        note_keys(pipeline, *(Command(args) for args, _ in pipeline.command_stack))
    return nullcontext()


def _block_of(command: Command) -> AbstractContextManager[None]:
    return looking(waits_for_ever) if command.reads else acting(command.act())


def _sending(
    connection: Any, packed: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    """Fail the check when a command bypasses the replaced methods, for example in a cluster client."""
    current = watcher.get()
    if current is not None:
        whole = packed if isinstance(packed, bytes | str) else b"".join(packed)
        words = (whole if isinstance(whole, str) else whole.decode("utf-8", "replace")).split()
        shown = " ".join(word for word in words if word[0] not in "*$")
        current.outside(f"redis ({shown[:60]})")
    return nullcontext()


def _pause(name: object, left_ms: int, limit: float | None) -> float | None:
    """Return for how many seconds to wait for a lock; None when it is not free before a limit.

    Args:
        name: the name of the lock.
        left_ms: what redis says is left of its lease: -1 when it has none, -2 when it is free.
        limit: how many seconds the wait may take; None for ever.

    Raises:
        LockError: when it is never free.
    """
    if left_ms == -1:
        if limit is None:
            raise lock_without_owner(name)
        return None
    # It runs out after the last millisecond, not with it.
    pause = max(left_ms, 0) / 1000 + 0.001
    return None if limit is not None and pause > limit else pause


def _pass_time(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


def _close(connection: Any) -> None:
    """Close a connection as the kernel does, without its loop, which may stand still."""
    connection._close()
    connection._writer = _Nowhere()

    async def do_nothing(*args: object, **kwargs: object) -> None:
        pass

    # A dead delivery that is unwound may call `disconnect`, which would remove the writer while another
    # method still sends.
    connection.disconnect = do_nothing


class _Nowhere:
    """A writer that drops what a dead delivery still sends; it is false, so its connection is not open."""

    def __bool__(self) -> bool:
        return False

    def writelines(self, data: object) -> None:
        pass

    async def drain(self) -> None:
        pass
