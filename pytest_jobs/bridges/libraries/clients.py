"""Clients of message brokers: what they send is let through, and an assertion that there was nothing names it.

Projects use them for jobs of their own and for much else, and mock them by test kits of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from ...harness.commits.callables import PASSING_ON, calling_line
from ..seam import Seam
from .refusals import Beside, methods_at


@dataclass(frozen=True)
class Client:
    """A client of a message broker."""

    #: Its name in sentences.
    title: str
    #: The methods that send, as "module:Class.method".
    sends: tuple[str, ...]
    #: How the first argument of a call that sends begins, where one method makes every call to a service.
    operations: tuple[str, ...] = ("",)
    #: Where its calls are noted.
    seam: Seam = field(default_factory=Seam, repr=False, compare=False)

    @property
    def module(self) -> str:
        """The module after whose import it may send."""
        return self.sends[0].partition(":")[0]


_OF_AWS: Final = ("Send", "Publish", "PutEvents", "PutRecord")

#: By the module after whose import it may send.
CLIENTS: Final = {
    client.module: client
    for client in (
        Client("kombu", ("kombu.messaging:Producer.publish",)),
        Client("pika", ("pika.channel:Channel.basic_publish",)),
        Client("aio-pika", ("aio_pika.exchange:Exchange.publish",)),
        Client("botocore", ("botocore.client:BaseClient._make_api_call",), _OF_AWS),
        Client("aiobotocore", ("aiobotocore.client:AioBaseClient._make_api_call",), _OF_AWS),
        Client(
            "Cloud Tasks",
            (
                "google.cloud.tasks_v2:CloudTasksClient.create_task",
                "google.cloud.tasks_v2:CloudTasksAsyncClient.create_task",
            ),
        ),
        Client("Pub/Sub", ("google.cloud.pubsub_v1:PublisherClient.publish",)),
        Client("kafka-python", ("kafka.producer.kafka:KafkaProducer.send",)),
        Client("aiokafka", ("aiokafka.producer.producer:AIOKafkaProducer.send",)),
    )
}


class Noted(Protocol):
    """Where messages are noted: the ledger of a harness."""

    def sent(self, what: str) -> None: ...


class Notice(Beside):
    """Notes what a client sends, for one harness."""

    def __init__(self, client: Client, ledger: Noted) -> None:
        """Prepare it; `install` puts it in force."""
        super().__init__(client.seam)
        self._client = client
        self._ledger = ledger

    def patch(self, seam: Seam) -> None:
        for owner, name in methods_at(self._client.sends):
            method = partial(Notice._note, call=name)
            seam.wrap(owner, name, method)
            seam.wrap_below(owner, name, method)

    def _note(
        self, original: Callable[..., Any], sender: object, /, *args: Any, call: str, **kwargs: Any
    ) -> Any:
        operation = str(args[0]) if args else ""
        if operation.startswith(self._client.operations):
            shown = f"{operation!r}, ..." if self._client.operations != ("",) else "..."
            own = {base.__module__.partition(".")[0] for base in type(sender).__mro__}
            place = calling_line(PASSING_ON | own)
            self._ledger.sent(
                f"{type(sender).__name__}.{call}({shown}) of {self._client.title} at {place}"
            )
        return original(*args, **kwargs)
