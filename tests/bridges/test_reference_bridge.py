"""The bridge of the core, as the harness and the assertions see it."""

import inspect
from contextlib import suppress
from datetime import timedelta
from unittest.mock import MagicMock

import pytest
from tables import each_row

from pytest_jobs import Job, Payload, job, later, polynomially_longer, reference, retry_on
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import CriterionError, DeclarationError, NoHarnessError, SignatureError
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.records.bridge import DeliverySemantics
from pytest_jobs.harness.time.clock import VirtualClock


class Pay(Job):
    queue = "payments"

    def perform(self, amount, currency="EUR"):
        return amount, currency


class PayAsync(Job):
    async def perform(self, amount):
        return amount


class StaticPay(Job):
    @staticmethod
    def perform(amount):
        return amount


class Base(Job):
    pass


@job
def send_receipt(order_id, *, copy=False):
    return order_id


@reference(id="number", find="find")
class Order:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return cls(number)

    def ship(self, carrier):
        pass

    ship_later = later(ship)


JOBS = [
    (Pay, f"{__name__}.Pay"),
    (send_receipt, f"{__name__}.send_receipt"),
    (send_receipt.job_class, f"{__name__}.send_receipt"),
    (Order.ship_later, f"{__name__}.Order.ship_later"),
    (Order(1).ship_later, f"{__name__}.Order.ship_later"),
    (f"{__name__}.Pay", f"{__name__}.Pay"),
]


@pytest.fixture
def bridge():
    return ReferenceBridge()


def enqueue_by_name(name, arguments="[[],{}]"):
    settings.adapter.enqueue(
        Payload(None, name, "1" * 32, "default", None, arguments, 1, None, 0, None)
    )


@pytest.mark.parametrize(("known", "name"), JOBS)
def test_a_job_goes_by_its_name(bridge, known, name):
    assert bridge.identify(known) == name


@each_row("unknown", [int, "nowhere.Gone", 5, None, lambda: None, Order, Pay.new(1), MagicMock()])
def test_what_is_no_job_has_no_name(bridge, unknown):
    assert bridge.identify(unknown) is None


@pytest.mark.parametrize("unknown", [int, None, 5])
@pytest.mark.parametrize("ask", ["resolve", "signature", "retry_policy"])
def test_what_is_no_job_cannot_be_asked_about(bridge, ask, unknown):
    with pytest.raises(CriterionError) as caught:
        getattr(bridge, ask)(unknown)

    assert str(caught.value) == f"{unknown!r} is not a job of the core."


def test_records_of_a_namesake_do_not_match(jobs, bridge):
    first, second = (type("Namesake", (Job,), {"perform": lambda self: None}) for _ in range(2))
    name = first.__declaration__.name
    first.perform_later()
    second.perform_later()
    enqueue_by_name(name)

    assert [bridge.matcher(first)(record) for record in jobs.enqueued] == [True, False, True]
    assert [bridge.matcher(name)(record) for record in jobs.enqueued] == [True] * 3


@each_row(
    ("known", "function"),
    [
        (Pay, Pay.perform),
        (send_receipt, send_receipt._function),
        (StaticPay, StaticPay.perform),
        (f"{__name__}.Pay", Pay.perform),
        (Order.ship_later, Order.ship),
    ],
)
def test_the_body_of_a_job_is_the_function_behind_perform(bridge, known, function):
    assert inspect.unwrap(bridge.resolve(known)) is function


def test_the_core_acknowledges_after_the_run_and_does_not_redeliver_on_raise(bridge):
    assert bridge.delivery_semantics(Pay) == DeliverySemantics(
        acknowledged="after",
        redelivered_on_raise=False,
        redelivered_on_kill=True,
        redelivered_on_outage=True,
    )


@pytest.mark.parametrize(
    ("options", "attempts", "waits"),
    [
        ({}, 5, [3, 3, 3, 3]),
        ({"wait": polynomially_longer, "attempts": 4}, 4, [3, 18, 83]),
        ({"wait": timedelta(minutes=1), "attempts": None}, None, [60, 60]),
        ({"wait": lambda failures: failures / 2, "jitter": 1}, 5, [0.5, 1, 1.5]),
    ],
)
def test_the_schedule_of_the_only_rule_can_be_told(bridge, options, attempts, waits):
    @retry_on(ValueError, **options)
    class Scheduled(Pay):
        pass

    policy = bridge.retry_policy(Scheduled)

    assert policy.attempts == attempts
    assert [policy.wait(n + 1).total_seconds() for n in range(len(waits))] == waits


def test_no_schedule_can_be_told_without_a_rule_or_of_several_or_of_the_error(bridge):
    @retry_on(ValueError)
    @retry_on(KeyError)
    class Several(Pay):
        pass

    @retry_on(ValueError, wait=lambda failures, error: failures)
    class Asks(Pay):
        pass

    assert [bridge.retry_policy(kind) for kind in (Pay, Several, Asks)] == [None, None, None]


def test_the_signature_names_the_parameters(bridge):
    signature = bridge.signature(Pay)

    assert signature.named((7,), {}) == {"amount": 7, "currency": "EUR"}
    assert signature.blank() == ((None,), {})
    assert (signature.accepts("currency"), signature.accepts("other")) == (True, False)


def test_a_base_has_no_signature(bridge):
    with pytest.raises(DeclarationError):
        bridge.signature(Base)


@pytest.mark.parametrize(("priority", "rank"), [(None, 0), (0, 0), (5, 5), (-5, -5)])
def test_the_lower_priority_goes_first(bridge, priority, rank):
    assert bridge.rank(priority) == rank


def test_coroutine_jobs_are_known_as_such(jobs, bridge):
    Pay.perform_later(1)
    PayAsync.perform_later(1)
    enqueue_by_name("nowhere.Gone")

    assert [bridge.is_coroutine(record) for record in jobs.enqueued] == [False, True, False]


def test_a_job_can_be_enqueued_if_the_arguments_fit(jobs, bridge):
    for known in (Pay, f"{__name__}.Pay"):
        bridge.enqueue(known, (7,), {"currency": "USD"})
    with pytest.raises(SignatureError):
        bridge.enqueue(Pay, (), {"amonut": 7})

    for record in jobs.enqueued:
        assert (record.job, record.args, record.kwargs) == (Pay, (7,), {"currency": "USD"})
    assert len(jobs.enqueued) == 2


def test_perform_makes_one_delivery_with_what_stands_in_for_the_body_and_records_nothing(
    jobs, bridge
):
    Pay.perform_later(7)
    (record,) = jobs.enqueued
    delivery = bridge.perform(record, now_ns=5_000_000_000, around=lambda call: [call(), "seen"])

    assert (delivery.status, delivery.result) == ("performed", [(7, "EUR"), "seen"])
    assert delivery.at.timestamp() == 5
    assert jobs.deliveries == []


def test_sandboxes_can_be_nested_and_end_with_their_blocks(jobs):
    bridge = jobs.harness.bridges[0]
    outer, inner = Ledger(VirtualClock()), Ledger(VirtualClock())
    with suppress(KeyError), bridge.sandbox(outer):
        with bridge.sandbox(inner):
            Pay.perform_later(1)
        Pay.perform_later(2)
        raise KeyError
    with pytest.raises(NoHarnessError), ReferenceBridge().sandbox(outer):
        pass
    Pay.perform_later(3)

    assert [record.args for record in inner.records] == [(1,)]
    assert [record.args for record in outer.records] == [(2,)]
    assert [record.args for record in jobs.enqueued] == [(3,)]


def test_installing_and_uninstalling_restores_exactly(bridge):
    before = settings._adapter, settings.draw
    ledger = Ledger(VirtualClock())
    draw = lambda: 0.5  # noqa: E731
    bridge.install(ledger, draw)
    Pay.perform_later(1)
    during = settings.draw
    bridge.uninstall()
    bridge.uninstall()

    assert during is draw
    assert settings._adapter is before[0]
    assert settings.draw is before[1]
    assert len(ledger.records) == 1


def test_the_time_of_the_core_is_that_of_the_clock(jobs):
    jobs.clock.advance(3600)

    assert settings.adapter.now_ns() == jobs.clock.now_ns()
