"""A job that was given up."""

from __future__ import annotations

from typing import Final

from .payload import Payload

#: What the last delivery of a job came to that was given up.
GIVEN_UP: Final = frozenset(("failed", "exhausted", "discarded"))


class DeadLetter:
    """A payload that will not be performed again, and why."""

    __slots__ = ("error", "payload", "status")

    def __init__(self, payload: Payload, status: str, error: BaseException | None) -> None:
        #: The payload as it was enqueued, readable or not.
        self.payload = payload
        #: `failed`, `exhausted` or `discarded`.
        self.status = status
        #: What the last attempt raised.
        self.error = error

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.payload.attempt

    def __repr__(self) -> str:
        return (
            f"<DeadLetter {self.payload.name} {self.status} after {self.attempts}: {self.error!r}>"
        )
