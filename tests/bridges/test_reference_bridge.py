"""The bridge of the core, as the harness and the assertions see it."""

import inspect
from datetime import timedelta

import pytest

from pytest_jobs import (
    Job,
    Payload,
    job,
    later,
    polynomially_longer,
    reference,
    retry_on,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import (
    CriterionError,
    DeclarationError,
    NoHarnessError,
    SignatureError,
)
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


@pytest.mark.parametrize("unknown", [int, "nowhere.Gone", 5, None, lambda: None, Order])
def test_what_is_no_job_has_no_name(bridge, unknown):
    assert bridge.identify(unknown) is None


def test_one_requested_run_is_no_job(bridge):
    assert bridge.identify(Pay.new(1)) is None


def test_an_object_that_answers_to_everything_is_no_job(bridge):
    from unittest.mock import MagicMock

    assert bridge.identify(MagicMock()) is None


@pytest.mark.parametrize("unknown", [int, None, 5])
@pytest.mark.parametrize("ask", ["resolve", "signature", "retry_policy"])
def test_what_is_no_job_cannot_be_asked_about(bridge, ask, unknown):
    with pytest.raises(CriterionError) as caught:
        getattr(bridge, ask)(unknown)

    assert str(caught.value) == f"{unknown!r} is not a job of the core."


def test_the_job_of_a_record_is_what_the_application_calls_it(jobs):
    Pay.perform_later(1)
    send_receipt.perform_later(1)
    Order(1).ship_later("dhl")
    enqueue_by_name("nowhere.Gone")

    assert [record.job for record in jobs.enqueued] == [
        Pay,
        send_receipt,
        Order.ship_later,
        "nowhere.Gone",
    ]


def test_records_of_a_namesake_do_not_match(jobs, bridge):
    def make():
        class Namesake(Job):
            def perform(self):
                pass

        return Namesake

    first, second = make(), make()
    first.perform_later()
    second.perform_later()
    enqueue_by_name(first.__declaration__.name)

    assert [bridge.matcher(first)(record) for record in jobs.enqueued] == [True, False, True]
    assert [bridge.matcher(first.__declaration__.name)(record) for record in jobs.enqueued] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("known", "function"),
    [
        (Pay, Pay.perform),
        (send_receipt, send_receipt._function),
        (StaticPay, StaticPay.perform),
        (f"{__name__}.Pay", Pay.perform),
    ],
)
def test_the_body_of_a_job_is_the_function_behind_perform(bridge, known, function):
    assert bridge.resolve(known) is function


def test_the_body_of_a_later_twin_calls_the_method(bridge):
    assert inspect.unwrap(bridge.resolve(Order.ship_later)) is Order.ship


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


def test_arguments_are_decoded_anew_each_time(jobs, bridge):
    Pay.perform_later([1], currency="USD")
    (record,) = jobs.enqueued
    first, second = bridge.arguments_of(record), bridge.arguments_of(record)

    assert first == second == (([1],), {"currency": "USD"})
    assert first[0][0] is not second[0][0]


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


@pytest.mark.parametrize("known", [Pay, f"{__name__}.Pay"])
def test_a_job_can_be_enqueued(jobs, bridge, known):
    bridge.enqueue(known, (7,), {"currency": "USD"})
    (record,) = jobs.enqueued

    assert (record.job, record.args, record.kwargs) == (Pay, (7,), {"currency": "USD"})


def test_arguments_that_do_not_fit_are_not_enqueued(jobs, bridge):
    with pytest.raises(SignatureError):
        bridge.enqueue(Pay, (), {"amonut": 7})

    assert jobs.enqueued == []


def test_perform_makes_one_delivery_and_records_nothing(jobs, bridge):
    Pay.perform_later(7)
    (record,) = jobs.enqueued
    delivery = bridge.perform(record, now_ns=5_000_000_000, around=lambda call: call())

    assert (delivery.status, delivery.result) == ("performed", (7, "EUR"))
    assert delivery.at.timestamp() == 5
    assert jobs.deliveries == []


def test_perform_calls_what_stands_in_for_the_body(jobs, bridge):
    Pay.perform_later(7)
    (record,) = jobs.enqueued
    delivery = bridge.perform(record, now_ns=0, around=lambda call: [call(), "seen"])

    assert delivery.result == [(7, "EUR"), "seen"]


@pytest.mark.parametrize("name", ["nowhere.Gone", "test_reference_bridge.Gone"])
def test_a_class_that_is_gone_fails_the_delivery_and_keeps_the_payload(jobs, name):
    enqueue_by_name(name, "[[7],{}]")
    delivery = jobs.perform(jobs.pending[0])

    assert (delivery.status, delivery.raises) == ("failed", True)
    assert str(delivery.error).startswith(f"No job is named {name!r}")
    assert jobs.dead == [delivery]
    assert delivery.record.payload.arguments == "[[7],{}]"


def test_a_sandbox_ends_with_its_block_also_when_the_block_raises(jobs):
    bridge = jobs.bridges[0]
    with pytest.raises(KeyError), bridge.sandbox(Ledger(VirtualClock())):
        raise KeyError
    Pay.perform_later(1)

    assert len(jobs.enqueued) == 1


def test_sandboxes_can_be_nested(jobs):
    bridge = jobs.bridges[0]
    outer, inner = Ledger(VirtualClock()), Ledger(VirtualClock())
    with bridge.sandbox(outer):
        with bridge.sandbox(inner):
            Pay.perform_later(1)
        Pay.perform_later(2)

    assert [record.args for record in inner.records] == [(1,)]
    assert [record.args for record in outer.records] == [(2,)]
    assert jobs.enqueued == []


def test_a_bridge_that_is_not_installed_has_no_sandbox(bridge):
    with pytest.raises(NoHarnessError), bridge.sandbox(Ledger(VirtualClock())):
        pass


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


@pytest.mark.parametrize("options", [{}, {"mode": "record", "raise_at": "end", "jitter": "zero"}])
def test_open_jobs_opens_a_harness_with_the_core(options):
    with open_jobs(**options) as jobs:
        Pay.perform_later(7)
        assert jobs.drain() == {"performed": 1}

    assert jobs.bridges[0].name == "core"
