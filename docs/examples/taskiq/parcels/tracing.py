"""Every task carries the id of the request that it comes from, over all of its children."""

from __future__ import annotations

from contextvars import ContextVar

from taskiq import TaskiqMessage, TaskiqMiddleware

request_id: ContextVar[str] = ContextVar("request_id", default="none")


class Tracing(TaskiqMiddleware):
    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        message.labels["request_id"] = request_id.get()
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        request_id.set(message.labels["request_id"])
        return message
