"""Rules and callbacks keep the types of what they decorate, stacked as high as one likes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import assert_type

from pytest_jobs import (
    Job,
    after_discard,
    after_perform,
    around_perform,
    before_enqueue,
    discard_on,
    exponentially_longer,
    job,
    polynomially_longer,
    rescue_from,
    retry_on,
    sidekiq_backoff,
)


def by_number(failures: int) -> float:
    return failures * 2


def by_number_in_whole_seconds(failures: int) -> int:
    return failures * 2


def by_error(failures: int, error: BaseException) -> timedelta:
    return timedelta(seconds=failures + len(error.args))


def note(failed: Job, error: BaseException) -> None:
    pass


@retry_on(TimeoutError, ConnectionError, wait=polynomially_longer, attempts=5)
@retry_on(KeyError, wait=timedelta(seconds=5), attempts=None, queue="low", priority=1)
@retry_on(OSError, wait=exponentially_longer(2, 3, cap=60), jitter=0.5, then=note)
@retry_on(BufferError, wait=exponentially_longer)
@retry_on(IndexError, wait=sidekiq_backoff)
@retry_on(AttributeError, wait=30)
@retry_on(ArithmeticError, wait=0.5)
@retry_on(LookupError, wait=by_number)
@retry_on(NameError, wait=by_number_in_whole_seconds)
@retry_on(SyntaxError, wait=by_error)
@retry_on(TypeError, wait=lambda failures: failures)
@discard_on(ValueError, then=note)
class Pay(Job):
    def perform(self, payment_id: int) -> str:
        return str(payment_id)

    @rescue_from(RuntimeError)
    def rescue(self, error: RuntimeError) -> None:
        self.retry(wait=60)

    @after_discard
    def tell(self, error: BaseException) -> None:
        pass

    @before_enqueue
    def check(self) -> None:
        pass

    @around_perform
    def measure(self, perform: Callable[[], object]) -> None:
        perform()

    @after_perform
    def close(self) -> None:
        pass


@retry_on(TimeoutError, wait=polynomially_longer)
@discard_on(ValueError)
@job(queue="mailers")
def send(order_id: int) -> str:
    return str(order_id)


@retry_on(TimeoutError)
@discard_on(ValueError)
@job
async def fetch(page: int) -> bytes:
    return b"x" * page


# Accepted

assert_type(Pay.perform_later(7), Job)
assert_type(Pay.perform_now(7), str)
assert_type(Pay.set(wait=60).perform_later(7), Job)
assert_type(send(7), str)
assert_type(send.perform_later(7), Job)
assert_type(send.perform_now(7), str)
assert_type(fetch.perform_now(3), bytes)
assert_type(polynomially_longer(3), float)

# Refused

Pay.perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send.perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fetch.perform_later("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on("timeout")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError, wait="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError, wait=lambda: 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError, attempts="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError, then=by_number)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
retry_on(TimeoutError, retries=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
discard_on(TimeoutError, wait=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
rescue_from("timeout")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
