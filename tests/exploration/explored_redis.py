"""Jobs that use redis, in the ways that `redis` has."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager, suppress

import redis
import redis.asyncio

client = redis.Redis(decode_responses=True)
awaited = redis.asyncio.Redis(decode_responses=True)
pool = redis.ConnectionPool(decode_responses=True)


def connect():
    return redis.Redis()


class Gateway:
    """Is wrapped in a fake, since redis would show what it did."""

    def charge(self, number):
        pass


gateway = Gateway()


# Commands


def charge_behind_a_flag(number):
    if client.get(f"done:{number}"):
        return
    gateway.charge(number)
    client.set(f"done:{number}", 1)


def count(number):
    client.incr("views")


def count_and_remember(number):
    if client.sismember("seen", number):
        return
    client.incr("views")
    client.sadd("seen", number)


def remember(number):
    client.sadd("seen", number)


def look_at(number):
    client.get("views")
    client.hgetall("profile")


def count_by_an_unknown_command(number):
    client.execute_command("INCRBY", "views", 1)


def remember_for_an_hour(number):
    if client.set(f"done:{number}", 1, nx=True, ex=3600):
        gateway.charge(number)


def note_the_time(number):
    client.set("at", time.time())


def publish(number):
    client.publish("orders", number)


def publish_in_a_transaction(number):
    with client.pipeline() as pipeline:
        pipeline.sadd("seen", number).publish("orders", number).execute()


def say_whether_it_was_seen(number):
    try:
        client.sadd("seen", number)
    except redis.ConnectionError:
        client.sadd("refused", number)
        raise
    except redis.TimeoutError:
        client.sadd("lost", number)
        raise


def import_late(number):
    from redis import Redis

    Redis(connection_pool=pool).incr("views")


def count_by_a_client_of_its_own(number):
    connect().incr("views")


# Pipelines


def count_in_a_pipeline(number):
    if client.sismember("seen", number):
        return
    with client.pipeline(transaction=False) as pipeline:
        pipeline.incr("views").sadd("seen", number).execute()


def count_in_a_transaction(number):
    with client.pipeline() as transaction:
        transaction.watch("seen")
        if transaction.sismember("seen", number):
            return
        transaction.multi()
        transaction.incr("views").sadd("seen", number).execute()


def count_in_a_transaction_that_watches_nothing(number):
    if client.sismember("seen", number):
        return
    with client.pipeline() as transaction:
        transaction.incr("views").sadd("seen", number).execute()


def raise_in_a_pipeline(number):
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set("text", "a").incr("text").sadd("seen", number)
        try:
            pipeline.execute()
        except redis.ResponseError as error:
            client.set("error", str(error))


def count_and_note_that_others_came_first(number):
    try:
        count_in_a_transaction(number)
    except redis.WatchError:
        client.sadd("overtaken", number)
        raise


# Scripts

COUNT_ONCE = """
if redis.call('sadd', KEYS[1], ARGV[1]) == 1 then
  return redis.call('incr', KEYS[2])
end
return 0
"""
_count_once = client.register_script(COUNT_ONCE)


def count_by_a_script(number):
    _count_once(keys=["seen", "views"], args=[number])


def count_by_eval(number):
    client.eval(COUNT_ONCE, 2, "seen", "views", number)


def publish_by_a_script(number):
    client.eval("return redis.call('PUBLISH', KEYS[1], ARGV[1])", 1, "orders", number)


# Locks


@contextmanager
def locked(number):
    lock = client.lock(f"lock:{number}", timeout=30)
    lock.acquire()
    try:
        yield
    finally:
        with suppress(redis.exceptions.LockNotOwnedError):
            lock.release()


@asynccontextmanager
async def locked_later(number):
    lock = awaited.lock(f"lock:{number}", timeout=30)
    await lock.acquire()
    try:
        yield
    finally:
        with suppress(redis.exceptions.LockNotOwnedError):
            await lock.release()


def charge_under_a_lock(number):
    with locked(number):
        if client.get(f"done:{number}"):
            return
        gateway.charge(number)
        client.set(f"done:{number}", 1)


def count_under_a_lock(number):
    with locked(number):
        views = int(client.get("views") or 0)
        if not client.sismember("seen", number):
            with client.pipeline() as transaction:
                transaction.set("views", views + 1).sadd("seen", number).execute()


def count_under_a_lock_without_end(number):
    with client.lock(f"lock:{number}"):
        client.sadd("seen", number)


def give_up_on_a_lock(number):
    lock = client.lock(f"lock:{number}", timeout=60, blocking_timeout=5)
    if not lock.acquire():
        raise RuntimeError(f"locked after {time.time():.0f}")
    client.sadd("seen", number)
    lock.release()


# Waiting


def take_from_a_queue(number):
    item = client.blpop("queue", timeout=5)
    client.sadd("taken", str(item))


def take_what_never_comes(number):
    client.blpop(["nothing"])


def move_what_was_there(number):
    item = client.blmove("queue", "taken", timeout=0)
    client.sadd("seen", item)


def read_a_stream(number):
    found = client.xread({"orders": "0"}, block=5_000)
    client.set("found", len(found))


def hear_itself(number):
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("orders")
        client.set("asked", 1)
        pubsub.get_message()
        message = pubsub.get_message(timeout=60)
        client.set("heard", str(message))


def listen(number):
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("orders")
        for _ in pubsub.listen():
            client.incr("heard")


def monitor(number):
    with client.monitor() as monitor:
        monitor.next_command()


# Coroutines


async def charge_behind_a_flag_later(number):
    if await awaited.get(f"done:{number}"):
        return
    gateway.charge(number)
    await awaited.set(f"done:{number}", 1)


async def remember_later(number):
    await awaited.sadd("seen", number)


async def count_in_a_pipeline_later(number):
    if await awaited.sismember("seen", number):
        return
    async with awaited.pipeline(transaction=False) as pipeline:
        await pipeline.incr("views").sadd("seen", number).execute()


async def count_in_a_transaction_later(number):
    async with awaited.pipeline() as transaction:
        await transaction.watch("seen")
        if await transaction.sismember("seen", number):
            return
        transaction.multi()
        await transaction.incr("views").sadd("seen", number).execute()


async def count_by_a_script_later(number):
    await awaited.register_script(COUNT_ONCE)(keys=["seen", "views"], args=[number])


async def count_under_a_lock_later(number):
    async with locked_later(number):
        views = int(await awaited.get("views") or 0)
        if not await awaited.sismember("seen", number):
            async with awaited.pipeline() as transaction:
                await transaction.set("views", views + 1).sadd("seen", number).execute()


async def count_under_a_lock_without_end_later(number):
    async with awaited.lock(f"lock:{number}"):
        await awaited.sadd("seen", number)


async def take_from_a_queue_later(number):
    await awaited.sadd("taken", str(await awaited.blpop("queue", timeout=5)))


async def take_what_another_task_brings(number):
    import asyncio

    async def bring():
        await asyncio.sleep(0.2)
        await awaited.rpush("queue", number)

    (_, item), _ = await asyncio.gather(awaited.blpop("queue", timeout=0), bring())
    await awaited.sadd("taken", item)


async def take_what_never_comes_later(number):
    await awaited.blpop("nothing")


async def hear_itself_later(number):
    async with awaited.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("orders")
        await awaited.set("asked", 1)
        message = await pubsub.get_message(timeout=60)
        await awaited.set("heard", str(message))


async def say_whether_it_was_seen_later(number):
    try:
        await awaited.sadd("seen", number)
    except redis.ConnectionError:
        await awaited.sadd("refused", number)
        raise
    except redis.TimeoutError:
        await awaited.sadd("lost", number)
        raise
