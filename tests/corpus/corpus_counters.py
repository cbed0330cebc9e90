"""Jobs that count, list and lock in redis, and their safe twins."""

from __future__ import annotations

import corpus_shop as shop


def count_view(page):
    shop.redis.incr("views")


def count_view_once(page):
    if shop.redis.get(f"seen:{page}"):
        return
    views = int(shop.redis.get("views") or 0)
    shop.redis.set("views", views + 1)
    shop.redis.set(f"seen:{page}", 1)


def count_view_by_claim(page):
    if not shop.redis.set(f"seen:{page}", 1, nx=True):
        return
    shop.redis.incr("views")


def count_view_in_a_transaction(page):
    with shop.redis.pipeline(transaction=True) as transaction:
        transaction.watch(f"seen:{page}")
        if transaction.get(f"seen:{page}"):
            return
        transaction.multi()
        transaction.incr("views")
        transaction.set(f"seen:{page}", 1)
        transaction.execute()


def count_view_in_a_pipeline(page):
    if shop.redis.get(f"seen:{page}"):
        return
    with shop.redis.pipeline(transaction=False) as pipeline:
        pipeline.incr("views").set(f"seen:{page}", 1).execute()


def add_member_in_a_pipeline(user):
    with shop.redis.pipeline(transaction=False) as pipeline:
        pipeline.sadd("members", user).set("last", user).execute()


def set_profile(user):
    shop.redis.set(f"profile:{user}", "ann")


def push_to_feed(item):
    shop.redis.rpush("feed", f"paid {item}")


def add_member(user):
    shop.redis.sadd("members", user)


def unlock_whoever_holds_it(item):
    if not shop.redis.set(f"lock:{item}", "held", nx=True, ex=30):
        raise RuntimeError("locked")
    if not shop.redis.get(f"begun:{item}"):
        shop.redis.set(f"begun:{item}", 1)
        shop.redis.rpush("feed", item)
    shop.redis.delete(f"lock:{item}")


def sell(order):
    if shop.redis.sismember("sold", order):
        return
    stock = int(shop.redis.get("stock") or 10)
    shop.redis.sadd("sold", order)
    shop.redis.set("stock", stock - 1)


# Batches


def move_the_cursor_first(batch):
    for row in range(int(shop.redis.get("cursor") or 0), batch):
        shop.redis.set("cursor", row + 1)
        shop.redis.sadd("done", row)


def move_the_cursor_last(batch):
    for row in range(int(shop.redis.get("cursor") or 0), batch):
        shop.mailer.send("row", row)
        shop.redis.set("cursor", row + 1)


def move_the_cursor_after_what_may_be_repeated(batch):
    for row in range(int(shop.redis.get("cursor") or 0), batch):
        shop.redis.sadd("done", row)
        shop.redis.set("cursor", row + 1)


def add_all_rows(batch):
    for row in range(batch):
        shop.redis.sadd("done", row)
