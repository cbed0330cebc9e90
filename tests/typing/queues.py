"""A queue is a text, or a callable of the arguments, written as a method or as a static method."""

from __future__ import annotations

from pytest_jobs import Job, job


class Text(Job):
    queue = "payments"

    def perform(self, size: int) -> None:
        pass


class Method(Job):
    def queue(self, size: int) -> str:
        return "large" if size > 9 else "small"

    def perform(self, size: int) -> None:
        pass


class StaticMethod(Job):
    @staticmethod
    def queue(size: int) -> str:
        return "large" if size > 9 else "small"

    def perform(self, size: int) -> None:
        pass


def choose(size: int) -> str:
    return "large" if size > 9 else "small"


class Function(Job):
    queue = staticmethod(choose)

    def perform(self, size: int) -> None:
        pass


@job(queue=choose)
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


job(queue=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
