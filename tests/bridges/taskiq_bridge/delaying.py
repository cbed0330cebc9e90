"""A broker that obeys the label `delay`, as those over RabbitMQ and SQS do, and those of taskiq-redis do not."""

from taskiq_redis import ListQueueBroker


class DelayingBroker(ListQueueBroker):
    async def kick(self, message):
        raise AssertionError(f"sent in {message.labels.get('delay')} s")
