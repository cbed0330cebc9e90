"""Brokers of an application: what is replaced on each, and what is known of it."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from taskiq import AsyncBroker, InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.message import BrokerMessage

from ..errors import ApplicationError
from ..harness.records.bridge import DeliverySemantics
from ..harness.records.patches import Patches
from .taskiq_results import Results
from .taskiq_store import Store


def checked(broker: Any) -> AsyncBroker:
    """Return a broker that can be bridged.

    Raises:
        ApplicationError: for anything else.
    """
    if isinstance(broker, AsyncSharedBroker):
        raise ApplicationError(
            f"{broker!r} is the broker of shared tasks and sends nothing itself: name the broker that it sends to."
        )
    if not isinstance(broker, AsyncBroker):
        raise ApplicationError(
            f"{broker!r} is no broker of taskiq: name the broker that the tasks are registered with."
        )
    return broker


def take_over(
    broker: AsyncBroker,
    patches: Patches,
    kick: Callable[[BrokerMessage], Awaitable[None]],
    find_store: Callable[[], Store],
) -> None:
    """Keep a broker from its server, as long as the patches hold.

    Args:
        broker: the broker.
        patches: put everything back.
        kick: is called with every message instead.
        find_store: returns where the results are.
    """
    patches.set(broker, "kick", kick)
    patches.set(broker, "listen", _hear_nothing)
    patches.set(broker, "result_backend", Results(broker.result_backend, find_store))
    if not isinstance(broker, InMemoryBroker):
        # The base class calls event handlers and middlewares; what a derived one adds is connections.
        patches.set(broker, "startup", functools.partial(AsyncBroker.startup, broker))
        patches.set(broker, "shutdown", functools.partial(AsyncBroker.shutdown, broker))


async def _hear_nothing() -> AsyncGenerator[bytes, None]:
    """Wait, as a worker inside the application does whose messages are performed by the test."""
    await asyncio.Event().wait()
    yield b""


def acknowledges(broker: AsyncBroker) -> bool:
    """Say whether a broker keeps a message until the worker acknowledges it, as `listen` is annotated."""
    annotation = inspect.get_annotations(type(broker).listen).get("return", "")
    return "AckableMessage" in (annotation if isinstance(annotation, str) else repr(annotation))


def semantics_of(
    broker: AsyncBroker, labels: Mapping[str, Any], ack_type: AcknowledgeType
) -> DeliverySemantics:
    """Return what a broker does with a message whose worker fails.

    Args:
        broker: the broker.
        labels: those of the task, of which `ack_type` goes before the option of the worker.
        ack_type: the option of the worker.
    """
    named = str(getattr(labels.get("ack_type"), "value", labels.get("ack_type") or ack_type.value))
    is_kept = acknowledges(broker) and named.lower() != AcknowledgeType.WHEN_RECEIVED.value
    return DeliverySemantics(
        acknowledged="after" if is_kept else "before",
        # A task that acknowledges by hand has not done so when it raises.
        redelivered_on_raise=is_kept and named.lower() == "manual",
        redelivered_on_kill=is_kept,
        redelivered_on_outage=is_kept,
    )
