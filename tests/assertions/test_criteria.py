"""What a criterion matches, how a difference is shown, and what is refused: a row for each case."""

from __future__ import annotations

import operator
import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from unittest.mock import ANY

import pytest
from asserting import NOON
from dirty_equals import (
    Contains,
    HasAttributes,
    IsDatetime,
    IsDict,
    IsInstance,
    IsInt,
    IsOneOf,
    IsPositive,
    IsStr,
)
from tables import each_row

import pytest_jobs
from pytest_jobs import (
    Job,
    assert_delivered,
    assert_enqueued,
    assert_failed,
    assert_not_enqueued,
    assert_not_performed,
    assert_performed,
    assert_retried,
    discard_on,
    job,
    open_jobs,
    rescue_from,
    retry_on,
)
from pytest_jobs.errors import CriterionError, NaiveDatetimeError, SignatureError
from pytest_jobs.harness.records.texts import Reader

SECOND = timedelta(seconds=1)
EXACT = timedelta(0)


class Pay(Job):
    queue = "payments"
    priority = 3

    def perform(self, payment_id, currency="EUR", *, urgent=False): ...


class PayLater(Pay):
    """Another job, since the class is matched exactly."""


class Import(Job):
    def perform(self, path, /, *rows, **options): ...


class Wait(Job):
    def perform(self, seconds=None): ...


class Ping(Job):
    def perform(self): ...


@job(queue=lambda size: "large" if size > 9 else "small")
def convert(size, copy=True): ...


class Ship(Job):
    queue = "shipping"
    priority = 4

    def perform(self, order, weight=0.0):
        return {"order": order, "weight": weight}


class Refused(Exception):
    def __init__(self, code, reason="none"):
        super().__init__(code, reason)
        self.code = code


class Expired(Refused):
    pass


class Charge(Job):
    def perform(self, error, code=5):
        raise {"refused": Refused, "expired": Expired}[error](code)


@discard_on(Refused)
class Dropped(Charge):
    pass


class Double(Job):
    def perform(self, value):
        return None if value is None else value * 2


class Rescued(Job):
    def perform(self):
        raise ValueError("no")

    @rescue_from(ValueError)
    def say(self, error):
        return f"rescued from {error}"


@retry_on(TimeoutError, wait=90, attempts=3)
class Sync(Job):
    def perform(self, failures=1):
        if self.attempt <= failures:
            raise TimeoutError


@contextmanager
def opened(*enqueue):
    """Open a harness at noon, whose texts are brief, and enqueue what a row says."""
    with open_jobs() as jobs:
        jobs.harness.reader = Reader()
        jobs.clock.move_to(NOON)
        for call in enqueue:
            call()
        yield jobs


def later(job, *args, **kwargs):
    return partial(job.perform_later, *args, **kwargs)


pay, wait, ship = partial(later, Pay), partial(later, Wait), partial(later, Ship)
load = later(Import, "a.csv", 1, 2, sep=";")
in_a_minute = later(Wait.set(wait=60))
low = later(Pay.set(queue="low"), 7)
ORDER = {"id": 7, "items": [{"sku": "a", "price": 0.1 + 0.2}, {"sku": "b", "price": 2.5}]}
shipped = ship(ORDER, 0.1 + 0.2)


def large(record):
    return record.args[0] > 100


# What a criterion matches: the job that is asked for, what is enqueued, what is asked, and what of it is found.


@each_row(
    "asked, enqueued, criteria, found",
    [
        # `args` and `kwargs` are the whole call, bound to the signature of `perform`.
        (Pay, [pay(7), pay(8)], {"args": (7,)}, [0]),
        (Pay, [pay(7, "USD")], {"args": [7, "USD"]}, [0]),
        (Pay, [pay(7, "USD")], {"kwargs": {"currency": "USD", "payment_id": 7}}, [0]),
        (Pay, [pay(payment_id=7, currency="USD")], {"args": (7, "USD")}, [0]),
        (
            Pay,
            [pay(7, currency="USD", urgent=True)],
            {"args": (7, "USD"), "kwargs": {"urgent": True}},
            [0],
        ),
        # Defaults are filled in on both sides.
        (Pay, [pay(7)], {"args": (7, "EUR"), "kwargs": {"urgent": False}}, [0]),
        (Pay, [pay(7, "EUR")], {"args": (7,)}, [0]),
        (Pay, [pay(7, "USD")], {"args": (7,)}, []),
        (convert, [later(convert, 7)], {"kwargs": {"size": 7, "copy": True}}, [0]),
        # No arguments and None are real expectations.
        *(
            (Wait, [wait(5), wait(), wait(None)], criteria, [1, 2])
            for criteria in (
                *({"args": ()}, {"args": (None,)}, {"kwargs": {}}, {"args": [], "kwargs": {}}),
                *({"kwargs": {"seconds": None}}, {"params": {"seconds": None}}),
            )
        ),
        (Wait, [wait(0)], {"args": (None,)}, []),
        (Ping, [later(Ping)], {"args": (), "kwargs": {}}, [0]),
        # Variable arguments are compared in order.
        (Import, [load], {"args": ("a.csv", 1, 2), "kwargs": {"sep": ";"}}, [0]),
        (Import, [load], {"args": ("a.csv", 2, 1), "kwargs": {"sep": ";"}}, []),
        (Import, [load], {"args": ("a.csv", 1, 2)}, []),
        # A function with a name is compared, and not called.
        (Pay, [pay(700)], {"args": [large]}, []),
        # `params` are some of the arguments, however they were passed.
        (Pay, [pay(7, currency="USD"), pay(8)], {"params": {"payment_id": 7}}, [0]),
        (
            Pay,
            [pay(7, "USD"), pay(currency="USD", payment_id=7), pay(7)],
            {"params": {"currency": "USD", "payment_id": 7}},
            [0, 1],
        ),
        (Pay, [pay(7)], {"params": {"currency": "EUR"}}, [0]),
        (Pay, [pay(7)], {"params": {}}, [0]),
        (Pay, [pay(7, "USD")], {"args": (7, "USD"), "params": {"currency": "USD"}}, [0]),
        (Pay, [pay(7, "USD")], {"args": (7, "USD"), "params": {"currency": "EUR"}}, []),
        (Import, [load], {"params": {"sep": ";"}}, [0]),
        (Import, [load], {"params": {"rows": (1, 2)}}, [0]),
        (Import, [load], {"params": {"sep": ","}}, []),
        (Import, [load], {"params": {"size": None}}, []),
        # `queue` and `priority` are those of the class, of one enqueue, or what a callable chose.
        (Pay, [pay(7), low], {"queue": "payments"}, [0]),
        (Pay, [pay(7), low], {"queue": "low"}, [1]),
        (Pay, [pay(7)], {"queue": "default"}, []),
        (Pay, [pay(7)], {"queue": None}, []),
        (convert, [later(convert, 3), later(convert, 30)], {"queue": "large"}, [1]),
        (Pay, [pay(7), later(Pay.set(priority=-1), 7)], {"priority": 3}, [0]),
        (Pay, [pay(7), later(Pay.set(priority=-1), 7)], {"priority": -1}, [1]),
        (Pay, [pay(7)], {"priority": 0}, []),
        (Pay, [pay(7)], {"priority": None}, []),
        (Wait, [wait(), later(Wait.set(priority=0))], {"priority": None}, [0]),
        (Wait, [wait(), later(Wait.set(priority=0))], {"priority": 0}, [1]),
        # `at` is when a job is due, within a second unless told otherwise; of a job that is not scheduled, None.
        (Wait, [later(Wait.set(at=NOON + timedelta(1)))], {"at": NOON + timedelta(1)}, [0]),
        (Wait, [later(Wait.set(wait=90))], {"at": NOON + 90 * SECOND}, [0]),
        *(
            (Wait, [later(Wait.set(at=NOON))], criteria, found)
            for criteria, found in (
                ({"at": NOON.astimezone(timezone(timedelta(hours=5)))}, [0]),
                *(({"at": NOON + off}, [0]) for off in (-SECOND, SECOND, EXACT)),
                *(({"at": NOON + off * SECOND}, []) for off in (-1.001, 1.001)),
                ({"at": NOON + timedelta(minutes=5), "tolerance": timedelta(minutes=5)}, [0]),
                ({"at": NOON, "tolerance": EXACT}, [0]),
                ({"at": NOON + timedelta(microseconds=1), "tolerance": EXACT}, []),
            )
        ),
        (Wait, [wait()], {"at": None}, [0]),
        (Wait, [wait()], {"at": NOON}, []),
        (Wait, [later(Wait.set(wait=0))], {"at": None}, []),
        # `wait` is the delay, in seconds or as a timedelta.
        *(
            (Wait, [later(Wait.set(wait=90))], {"wait": seconds}, [0])
            for seconds in (90, 90.0, 90.9, 90 * SECOND, 89 * SECOND)
        ),
        (Wait, [later(Wait.set(at=NOON + timedelta(2)))], {"wait": timedelta(2)}, [0]),
        (Wait, [later(Wait.set(at=NOON - timedelta(minutes=2)))], {"wait": -120}, [0]),
        (Wait, [wait(), later(Wait.set(wait=0))], {"wait": None}, [0]),
        (Wait, [wait(), later(Wait.set(wait=0))], {"wait": 0}, [1]),
        (Wait, [later(Wait.set(wait=90))], {"wait": 90, "tolerance": EXACT}, [0]),
        (Wait, [later(Wait.set(wait=90))], {"wait": 90.001, "tolerance": EXACT}, []),
        # `where` is asked with the record, anything true will do, and it comes after all other criteria.
        (Pay, [pay(7), pay(700)], {"where": large}, [1]),
        (Pay, [pay(7)], {"where": lambda record: record.args}, [0]),
        (Pay, [pay(7)], {"where": lambda record: record.kwargs}, []),
        (Pay, [pay("a text")], {"params": {"payment_id": 7}, "where": large}, []),
        # A criterion that is not given asks nothing.
        (Pay, [low], {}, [0]),
        (Pay, [pay(7)], {"within": None, "count": None, "at_most": None}, [0]),
        (Pay, [pay(7)], {"within": ()}, []),
        (Pay, [pay(7)], {"within": []}, []),
        # A subclass is another job.
        (Pay, [later(PayLater, 7)], {}, []),
        (PayLater, [pay(7), later(PayLater, 7)], {}, [1]),
        # Expectations are compared from the left, so matchers work at any depth.
        *(
            (Ship, [shipped], criteria, [0])
            for criteria in (
                {"args": (ANY, ANY)},
                {"args": (ANY,), "kwargs": {"weight": pytest.approx(0.3)}},
                {"params": {"weight": pytest.approx(0.3)}},
                {"params": {"order": {"id": ANY, "items": ANY}}},
                {"params": {"order": {"id": 7, "items": [ANY, {"sku": "b", "price": 2.5}]}}},
                {"args": (IsDict(id=IsInt).settings(partial=True), ANY)},
                {
                    "params": {
                        "order": {"id": IsPositive, "items": Contains({"sku": "b", "price": 2.5})}
                    }
                },
                {
                    "params": {
                        "order": {
                            "id": 7,
                            "items": [{"sku": IsStr, "price": pytest.approx(0.3)}, ANY],
                        }
                    }
                },
                {"queue": IsStr(regex="ship.*")},
                {"queue": IsOneOf("shipping", "mailers")},
                {"priority": IsOneOf(3, 4)},
                {"attempt": IsInt},
                {"at": ANY, "wait": ANY},
            )
        ),
        *(
            (Ship, [shipped], criteria, [])
            for criteria in (
                {"args": (ANY, pytest.approx(0.4))},
                {"params": {"weight": IsStr}},
                {"params": {"order": {"id": ANY}}},
                {"params": {"order": {"id": 7, "items": [ANY]}}},
                {"queue": IsStr(regex="mail.*")},
                {"priority": IsOneOf(1, 2)},
                {"at": IsDatetime},
            )
        ),
        (Wait, [in_a_minute], {"at": IsDatetime(approx=NOON + 61 * SECOND, delta=2)}, [0]),
    ],
)
def test_a_criterion_matches_what_is_as_it_says(asked, enqueued, criteria, found):
    with opened(*enqueued):
        matched = assert_enqueued(asked, **{"at_least": 0, **criteria})

        assert [record.sequence for record in matched] == found
        if not found:
            assert_not_enqueued(asked, **criteria)
        if "count" in criteria or len(found) == 1:
            assert assert_enqueued(asked, **criteria) is matched[0]


@each_row(
    "assertion, asked, enqueued, criteria, found",
    [
        # `result` is what the job returned, and None is a real expectation.
        (assert_performed, Double, [later(Double, 2), later(Double, 3)], {"result": 6}, [1]),
        (assert_performed, Double, [later(Double, 2)], {"result": 5}, []),
        (assert_performed, Double, [later(Double, 2), later(Double, None)], {"result": None}, [1]),
        (assert_performed, Rescued, [later(Rescued)], {"result": "rescued from no"}, [0]),
        (
            assert_performed,
            Ship,
            [shipped],
            {"result": {"order": ANY, "weight": pytest.approx(0.3)}},
            [0],
        ),
        # `error` is a class, of which subclasses are, an exception with its arguments, or a matcher.
        *(
            (assert_failed, Charge, [later(Charge, "refused")], {"error": error}, found)
            for error, found in (
                *((Refused, [0]), (Refused(5), [0]), (ANY, [0]), (IsInstance(Refused), [0])),
                (IsInstance(Refused) & HasAttributes(code=5), [0]),
                *((Expired, []), (Refused(6), []), (Expired(5), []), (Refused(5, "other"), [])),
            )
        ),
        (assert_failed, Charge, [later(Charge, "expired")], {"error": Refused}, [0]),
        (assert_failed, Charge, [later(Charge, "expired")], {"error": Exception}, [0]),
        (assert_performed, Ping, [later(Ping)], {"error": None}, [0]),
        (assert_performed, Ping, [later(Ping)], {"error": ValueError}, []),
        (assert_performed, Ping, [later(Ping)], {"error": ValueError("x")}, []),
        (
            assert_delivered,
            Dropped,
            [later(Dropped, "refused")],
            {"error": Refused(5), "status": "discarded"},
            [0],
        ),
        # Of a delivery, `attempt` is the one that was made, `at` when it began, `wait` that until the next.
        (assert_retried, Sync, [later(Sync, 9)], {}, [0, 1]),
        (assert_retried, Sync, [later(Sync, 9)], {"attempt": 2}, [1]),
        (assert_failed, Sync, [later(Sync, 9)], {"attempt": 3}, [2]),
        (assert_retried, Sync, [later(Sync.set(wait=60))], {"at": NOON + 60 * SECOND}, [0]),
        (assert_performed, Sync, [later(Sync.set(wait=60))], {"at": NOON + 150 * SECOND}, [1]),
        (assert_retried, Sync, [later(Sync)], {"wait": 90}, [0]),
        (assert_performed, Sync, [later(Sync)], {"wait": None}, [1]),
        # `where` is asked with the delivery, after what only deliveries have.
        (
            assert_performed,
            Double,
            [later(Double, 7), later(Double, 700)],
            {"where": lambda delivery: delivery.result > 100},
            [1],
        ),
        *(
            (
                assert_performed,
                Double,
                [later(Double, "a text")],
                {"where": lambda delivery: delivery.result > 100, **criteria},
                [],
            )
            for criteria in ({"result": "high"}, {"error": ValueError})
        ),
        # A subclass is another job.
        (assert_performed, Pay, [later(PayLater, 7)], {}, []),
        (assert_performed, PayLater, [later(PayLater, 7)], {}, [0]),
    ],
)
def test_so_it_does_of_deliveries(assertion, asked, enqueued, criteria, found):
    with opened(*enqueued) as jobs:
        jobs.drain(raise_errors=False)
        matched = assertion(asked, at_least=0, **criteria)

        assert [delivery.record.sequence for delivery in matched] == found
        if not found and assertion is assert_performed:
            assert_not_performed(asked, **criteria)


def test_retries_do_not_count_unless_they_are_asked_for_and_redeliveries_never(jobs):
    Sync.perform_later(9)
    jobs.drain(raise_errors=False)
    jobs.redeliver(jobs.enqueued[0])

    assert assert_enqueued(Sync).attempt == 1
    assert assert_enqueued(Sync, attempt=1).sequence == 0
    record = assert_enqueued(Sync, attempt=3)
    assert (record.attempt, record.retry_of) == (3, 1)


def test_arguments_are_compared_after_the_round_trip(jobs):
    rows = [1, (2, 3)]
    Import.perform_later("a.csv", rows)
    rows.append(4)

    assert_enqueued(Import, args=("a.csv", [1, (2, 3)]))


def test_the_expectation_is_asked_first(jobs):
    asked = []

    class Asked:
        def __eq__(self, other):
            asked.append(other)
            return True

        __hash__ = None

    when, amount = datetime(2030, 1, 1, tzinfo=UTC), Decimal("1.5")
    Pay.perform_later([when], amount)
    assert_enqueued(Pay, args=([Asked()], Asked()))

    assert asked == [when, amount]


def test_the_error_of_where_is_raised(jobs):
    Pay.perform_later("a text")

    with pytest.raises(TypeError, match="'>' not supported"):
        assert_enqueued(Pay, where=large)


# How a difference is shown: what the gallery of messages does not have.


@each_row(
    "asked, enqueued, criteria, shown",
    [
        # Each parameter that differs has a line.
        (
            Import,
            [later(Import, "a.csv", 1, sep=";", strict=True)],
            {"args": ("b.csv", 2), "kwargs": {"strict": True, "head": 3}},
            """
              args  differs  path: expected 'b.csv', got 'a.csv'
                             rows: expected (2,), got (1,)
                             head: expected 3, not given
                             sep: not expected, got ';'
            """,
        ),
        (
            Import,
            [later(Import, 1, level=3), later(Import, 1, level=4)],
            {"params": {"size": 1}},
            """
            Closest: #0 Import(1, level=3) queue='default'
              params  differs  size: expected 1, not given

            Other Import enqueued:
              #1  params not given
            """,
        ),
        # What fails by `where` alone is nearer than what it is not asked of.
        (
            Wait,
            [later(Wait.set(queue="low"), 700), later(Wait.set(queue="high"), 7)],
            {"queue": "high", "where": large},
            """
            Closest: #1 Wait(7) queue='high'
            """,
        ),
        # And it is not asked for a message either.
        (
            Wait,
            [later(Wait.set(queue="low"), "a text")],
            {"queue": "high", "where": large},
            """
              where  skipped  asked only where everything else is as expected
            """,
        ),
        (
            Wait,
            [wait(7)],
            {"where": partial(operator.is_, 7)},
            """
              where  functools.partial(<built-in function is_>, 7)
            """,
        ),
    ],
)
def test_a_difference_is_shown_with_what_was_expected(asked, enqueued, criteria, shown):
    with opened(*enqueued), pytest.raises(AssertionError) as caught:
        assert_enqueued(asked, **criteria)

    assert "\n".join(line[12:] for line in shown.splitlines()[1:-1]) in str(caught.value)


def test_nothing_is_said_of_subclasses_when_the_class_was_enqueued_too(failure):
    with opened(pay(7), later(PayLater, 8)):
        assert "PayLater" not in failure(assert_enqueued, Pay, args=(8,))


def test_a_criterion_can_be_asked_of_any_job(failure):
    with opened(later(convert, 3)):
        assert_not_enqueued(queue="payments")
        assert failure(assert_not_enqueued, queue="small").splitlines()[1:5] == [
            "Expected no job enqueued with",
            "  queue  'small'",
            "but 1 was enqueued:",
            "  #0 convert(3) queue='small'",
        ]


# What is refused.


TAKES = (
    " The job takes Pay(payment_id, currency='EUR', *, urgent=False). To ask for some of them only, write "
    "params={...}."
)
ON_THE_SPOT = (
    " is a function made on the spot, and arguments are compared, so nothing calls it: write where=..., or a "
    "matcher that compares equal."
)


def each(name, values, message):
    """Return a row for each value, of which the message is about."""
    return [(Pay, {name: value}, message.format(f"{name}={value!r}")) for value in values]


async def is_large(record): ...


@each_row(
    "asked, criteria, message",
    [
        (
            Pay,
            {"args": (1, 2, 3)},
            "No Pay can have the arguments (1, 2, 3): Pay.perform() takes from 1 to 2 positional arguments but 3 "
            "were given." + TAKES,
        ),
        (
            Pay,
            {"kwargs": {"urgent": True}},
            "No Pay can have the arguments (urgent=True): Pay.perform() missing 1 required positional argument: "
            "'payment_id'." + TAKES,
        ),
        (
            Pay,
            {"args": (1,), "kwargs": {"colour": "red"}},
            "No Pay can have the arguments (1, colour='red'): Pay.perform() got an unexpected keyword argument "
            "'colour'." + TAKES,
        ),
        *each(
            "args",
            [7, "abc", b"abc", {1, 2}, None, {"payment_id": 7}],
            "{} is not a list or tuple of positional arguments.",
        ),
        *each(
            "kwargs",
            [7, "abc", [("payment_id", 7)], None],
            "{} is not a dict of keyword arguments.",
        ),
        *each(
            "params",
            [7, "abc", ["payment_id"], None],
            "{} is not a dict of arguments by parameter name.",
        ),
        (Pay, {"args": [lambda value: value > 100]}, "args[0]" + ON_THE_SPOT),
        (
            Pay,
            {"args": [1], "kwargs": {"urgent": lambda value: value}},
            "kwargs['urgent']" + ON_THE_SPOT,
        ),
        (
            Pay,
            {"params": {"payment_id": {"a": [1, (2, lambda value: value)]}}},
            "params['payment_id']['a'][1][1]" + ON_THE_SPOT,
        ),
        (
            Pay,
            {"params": {"payment": 7}},
            (
                "Pay has no parameter 'payment', so params={'payment': ...} can match nothing: did you mean "
                "'payment_id'? It takes payment_id, currency, urgent."
            ),
        ),
        (
            convert,
            {"params": {"from": "ann"}},
            "convert has no parameter 'from', so params={'from': ...} can match nothing: it takes size, copy.",
        ),
        *each(
            "queue",
            [5, ["low", "high"], Pay, b"low"],
            "No job has {}: write a text such as 'mailers', or a matcher.",
        ),
        *each("priority", ["high", 1.5, (1, 2)], "No job has {}: write an int, or a matcher."),
        *each(
            "attempt",
            [0, -1, None, "2", 1.5],
            "No job has {}: write an int of at least 1, or a matcher.",
        ),
        *each(
            "at",
            [
                *(5, 1.5, Decimal(5), True, "noon", SECOND, [1], (), {}),
                *(date(2030, 1, 1), time(12, tzinfo=UTC)),
            ],
            "{} is not an instant: write an aware datetime, or wait= for a delay.",
        ),
        *each(
            "wait",
            [
                *("soon", True, Decimal(5), [1], (), {}),
                *(float("nan"), float("inf"), 1e20),
                datetime(2030, 1, 1, tzinfo=UTC),
            ],
            "{} is not a delay: write a timedelta or seconds.",
        ),
        *(
            (Pay, {"at": NOON, **criteria}, message)
            for _, criteria, message in each(
                "tolerance",
                [5, -SECOND, None, "1s"],
                "{} is not a timedelta: write timedelta(seconds=5), say.",
            )
        ),
        (
            Pay,
            {"tolerance": SECOND},
            "tolerance= is for at= and wait=, and neither is given: give one, or leave it out.",
        ),
        *each(
            "where",
            [3, "large", None],
            "{} is not callable: write a function that takes the record.",
        ),
        (
            Pay,
            {"where": is_large},
            "where=is_large is a coroutine function, and nothing awaits it: write a plain one.",
        ),
    ],
)
def test_what_no_job_can_be_is_refused(refusal, asked, criteria, message):
    with opened():
        for assertion in (assert_enqueued, assert_not_enqueued, assert_performed):
            assert refusal(assertion, asked, **criteria) == message


@each_row("error", [int, "no such payment", 404, (Refused, Expired)])
def test_what_is_no_exception_is_refused(refusal, error):
    with opened():
        assert refusal(assert_failed, Charge, error=error) == (
            f"error={error!r} is not an exception: write a class such as ValueError, an exception, or a matcher."
        )


@each_row("name", ["args", "kwargs", "params"])
def test_arguments_of_no_job_in_particular_are_refused(refusal, name):
    with opened():
        assert refusal(assert_not_enqueued, **{name: {}}) == (
            f"{name}= is compared by the signature of a job: name the job too."
        )


@each_row("name", ["assert_enqueued", "assert_not_enqueued"])
def test_a_job_that_is_only_enqueued_has_no_result(refusal, name):
    with opened():
        assert refusal(getattr(pytest_jobs, name), Double, result=4) == (
            f"{name}() knows no criterion 'result', which only deliveries have: ask for it with "
            "assert_performed(), say."
        )


def test_a_naive_datetime_is_refused():
    message = (
        "at must have a timezone, got datetime.datetime(2030, 1, 1, 0, 0): "
        "write at.replace(tzinfo=UTC), or .astimezone() when it is local time."
    )
    with opened(), pytest.raises(NaiveDatetimeError, match=f"^{re.escape(message)}$"):
        assert_not_enqueued(Pay, at=datetime(2030, 1, 1))  # noqa: DTZ001


def test_what_an_enqueue_refuses_an_assertion_refuses_in_the_same_words(refusal):
    with opened(), pytest.raises(SignatureError) as caught:
        Pay.perform_later(1, colour="red")

    with opened(), pytest.raises(CriterionError, match=re.escape(str(caught.value))):
        assert_enqueued(Pay, args=(1,), kwargs={"colour": "red"})
