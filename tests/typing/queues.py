"""A queue, and a priority, is a value or a callable of the arguments, such as a method or static method."""

from __future__ import annotations

from pytest_jobs import Job, job


class Text(Job):
    queue = "payments"
    priority = 5

    def perform(self, size: int) -> None:
        pass


class Method(Job):
    def queue(self, size: int) -> str:
        return "large" if size > 9 else "small"

    def priority(self, size: int) -> int | None:
        return size if size > 9 else None

    def perform(self, size: int) -> None:
        pass


class StaticMethod(Job):
    @staticmethod
    def queue(size: int) -> str:
        return "large" if size > 9 else "small"

    @staticmethod
    def priority(size: int) -> int:
        return size

    def perform(self, size: int) -> None:
        pass


def choose(size: int) -> str:
    return "large" if size > 9 else "small"


def urgency(size: int) -> int | None:
    return size if size > 9 else None


class Function(Job):
    queue = staticmethod(choose)
    priority = staticmethod(urgency)

    def perform(self, size: int) -> None:
        pass


@job(queue=choose, priority=urgency)
def convert(size: int) -> None:
    pass


for job_class in (Text, Method, StaticMethod, Function):
    job_class.set(queue="low")

Text.perform_later(3)
Method.perform_later(3)
StaticMethod.perform_later(3)
Function.perform_later(3)
convert.perform_later(3)


class WrongNumber(Job):
    queue = 7  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def perform(self) -> None:
        pass


class WrongPriority(Job):
    priority = "high"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def perform(self) -> None:
        pass


job(priority="high")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
job(queue=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
