"""The Dramatiq bridge does what every bridge must."""

from functools import partial
from types import MappingProxyType

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq import Broker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, retries as retries_module
from dramatiq.results import ResultBackend

from pytest_jobs.bridges.dramatiq.bridge import DramatiqBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

broker = RedisBroker(url="redis://localhost:1")
broker.add_middleware(AsyncIO())
actor = partial(dramatiq.actor, broker=broker)

# The shortest wait is the half of the longest backoff, when the first is longer than that.
THIRTY_SECONDS = {"max_retries": 2, "min_backoff": 61_000, "max_backoff": 60_000}

note = actor(bodies.note, actor_name="note", queue_name="notes")
note_with_priority = actor(bodies.note, actor_name="note-3", priority=3)
fails = actor(bodies.fails, actor_name="fails", max_retries=0)
retries = actor(bodies.retries, actor_name="retries", **THIRTY_SECONDS)
breaks = actor(bodies.breaks, actor_name="breaks")
asserts = actor(bodies.asserts, actor_name="asserts", **THIRTY_SECONDS)
coroutine = actor(bodies.coroutine, actor_name="coroutine")


@actor(actor_name="parent")
def parent(value):
    note.send(value)


class DramatiqLibrary:
    survives_exit = True
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine)
    lacks = MappingProxyType(
        {
            "cron": "Dramatiq has no scheduler of its own",
            "unique": "Dramatiq has no unique messages",
        }
    )

    def bridge(self):
        return DramatiqBridge([broker])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, headers=None, **options):
        if options.get("priority") is not None:
            # The priority belongs to the actor.
            job = {note: note_with_priority}[job]
        message = job.message_with_options(args=args, kwargs=kwargs, **(headers or {}))
        if options.get("queue") is not None:
            message = message.copy(queue_name=options["queue"])
        delay = None if wait is None else int(wait.total_seconds() * 1_000)
        return broker.enqueue(message, delay=delay)

    def patched(self):
        return [broker, retries_module, RedisBroker, Broker, ResultBackend]


class TestDramatiq(BridgeConformance):
    @pytest.fixture
    def library(self):
        return DramatiqLibrary()
