"""What each step of a machine does, as scripts call them."""

import contextlib
import sqlite3
import threading
import time

import machine_jobs
import pytest
from hypothesis.stateful import rule

from pytest_jobs import JobMachine
from pytest_jobs.errors import ExplorationError, PoisonJob
from pytest_jobs.harness.records.patches import Patches

#: Seconds after which what has not ended hangs: a slow machine needs a hundredth of it for what does not.
SOON = 1.5


def script(*jobs, **options):
    """Return a machine that is used as a block."""

    class Shop(JobMachine):
        world = staticmethod(machine_jobs.shop)

        def settled(self):
            self.at_the_end = self.state

    Shop.jobs = {found: {"number": 1} for found in jobs}
    for name, value in options.items():
        setattr(Shop, name, value)
    return Shop()


def test_a_job_is_performed():
    with script(machine_jobs.pay) as state:
        assert state.enqueue("pay", number=2) == "pay#1"
        assert state.state["charges"] == []

        state.perform("pay#1")

        assert state.state["charges"] == [2]
        assert state.state["payments"][2] == "paid"


def test_what_is_pending_is_delivered_at_the_end():
    with script(machine_jobs.pay) as state:
        state.enqueue("pay", 1)
        state.enqueue("pay", 2)

    assert state.at_the_end["charges"] == [1, 2]


def test_a_killed_job_is_pending_again():
    with script(machine_jobs.pay) as state:
        state.enqueue("pay", 1)
        state.crash("pay#1", at="after gateway: charge(1) in pay")

        assert state.state["charges"] == [1]
        assert state.state["payments"][1] == "open"

        state.perform("pay#1")

        assert state.state["charges"] == [1, 1]


def test_a_killed_job_dies_before_a_line():
    with script(machine_jobs.pay) as state:
        state.enqueue("pay", 1)
        state.crash("pay#1", at="gateway.charge(number) in pay")

        assert state.state["charges"] == []


def test_nothing_of_a_killed_job_runs_before_the_example_ends():
    with script(machine_jobs.pay_and_clean_up) as state:
        state.enqueue("pay_and_clean_up", 1)
        state.crash("pay_and_clean_up#1", at="after gateway: charge(1, key=1) in pay_and_clean_up")
        state.enqueue("pay_and_clean_up", 2)
        state.crash("pay_and_clean_up#2", at="db.commit() in put")

        assert machine_jobs.cleaned == []
        assert state.state["payments"] == {1: "open", 2: "open"}

        state.drain()

        assert machine_jobs.cleaned == ["finally", "finally"]
    assert machine_jobs.cleaned == []


def test_an_effect_fails_or_loses_its_answer():
    with script(machine_jobs.pay) as state:
        state.enqueue("pay", 1)
        state.effect_fails("pay#1", at="gateway: charge(1) in pay")
        assert state.state["charges"] == []

        state.reply_lost("pay#1", at="gateway: charge(1) in pay")
        assert state.state["charges"] == [1]

        state.perform("pay#1")
        assert state.state["charges"] == [1, 1]


def test_a_job_that_is_done_is_delivered_again():
    with script(machine_jobs.pay_once_a_process) as state:
        state.enqueue("pay_once_a_process", 1)
        state.perform("pay_once_a_process#1")
        state.deliver_again("pay_once_a_process#1")
        assert state.state["charges"] == [1]

        state.restart()
        state.deliver_again("pay_once_a_process#1")
        assert state.state["charges"] == [1, 1]


def test_a_retry_comes_due_when_time_passes():
    with script(machine_jobs.PayLater) as state:
        state.enqueue("PayLater", number=1)
        state.reply_lost("PayLater#1", at="gateway: charge(1, key='payment-1') in PayLater.perform")
        with pytest.raises(ExplorationError, match="PayLater#1 is not due yet"):
            state.perform("PayLater#1")

        state.advance(seconds=300)
        state.perform("PayLater#1")

        assert state.state["charges"] == [1]
        with pytest.raises(ExplorationError, match=r"PayLater#1 is not pending\. Due are: none"):
            state.perform("PayLater#1")


def test_a_drain_waits_until_a_retry_is_due():
    with script(machine_jobs.PayLater) as state:
        state.enqueue("PayLater", number=1)
        state.reply_lost("PayLater#1", at="gateway: charge(1, key='payment-1') in PayLater.perform")
        before = time.time()
        state.drain()

        assert time.time() == before + 300


def test_a_second_delivery_runs_whole_at_a_point_of_the_first():
    with script(machine_jobs.look_then_charge) as state:
        state.enqueue("look_then_charge", 1)
        state.overlap("look_then_charge#1", at="gateway.charge(number) in look_then_charge")

        assert state.state["charges"] == [1, 1]
        with pytest.raises(ExplorationError, match="look_then_charge#1 is not pending"):
            state.perform("look_then_charge#1")
        state.deliver_again("look_then_charge#1")


def test_a_coroutine_is_overlapped():
    with script(machine_jobs.look_then_charge_in_a_coroutine) as state:
        state.enqueue("look_then_charge_in_a_coroutine", 1)
        state.overlap(
            "look_then_charge_in_a_coroutine#1",
            at="before gateway: charge(1) in look_then_charge_in_a_coroutine",
        )

        assert state.state["charges"] == [1, 1]


def test_a_second_delivery_that_finds_a_lock_held_is_pending_again():
    with script(machine_jobs.look_then_charge_under_a_lock) as state:
        state.enqueue("look_then_charge_under_a_lock", 1)
        state.overlap(
            "look_then_charge_under_a_lock#1",
            at="before gateway: charge(1) in look_then_charge_under_a_lock",
        )

        assert state.state["charges"] == [1]
        state.perform("look_then_charge_under_a_lock#1")
        assert state.state["charges"] == [1]


def test_a_second_delivery_is_a_process_of_its_own():
    with script(machine_jobs.look_at_the_process_then_charge) as state:
        state.enqueue("look_at_the_process_then_charge", 1)
        state.overlap(
            "look_at_the_process_then_charge#1",
            at="tries.append(number) in look_at_the_process_then_charge",
        )

        assert state.state["charges"] == [1]
        assert machine_jobs.seen == {1}
        assert machine_jobs.tries == [1]


def test_two_deliveries_share_what_the_world_keeps_in_a_module():
    def world():
        machine_jobs.ledger.clear()
        yield lambda: list(machine_jobs.ledger)

    with script(machine_jobs.record_unless_recorded, world=staticmethod(world)) as state:
        state.enqueue("record_unless_recorded", 1)
        state.overlap(
            "record_unless_recorded#1", at="ledger.append(number) in record_unless_recorded"
        )

        assert state.state == [1, 1]


def test_both_deliveries_that_failed_are_pending_again():
    with script(machine_jobs.fail_twice) as state:
        state.enqueue("fail_twice", 1)
        state.overlap("fail_twice#1", at="before gateway: charge(1, key=1) in fail_twice")
        state.perform("fail_twice#1")
        state.perform("fail_twice#1")

        with pytest.raises(ExplorationError, match="fail_twice#1 is not pending"):
            state.perform("fail_twice#1")


def overlapped(state, job, at):
    with state:
        state.enqueue(job, 1)
        state.overlap(f"{job}#1", at=f"{at} in {job}")


def test_two_deliveries_on_one_connection_show_nothing():
    state = script(machine_jobs.use_the_connection_of_all)

    with pytest.raises(ExplorationError, match="would use one connection to a database"):
        overlapped(state, "use_the_connection_of_all", "after gateway: charge(1, key=1)")


def test_a_second_delivery_that_waits_for_the_first_without_end(monkeypatch):
    monkeypatch.setattr(machine_jobs.Holder, "hidden", (threading.Lock(),))
    state = script(machine_jobs.pay_under_a_hidden_lock, time_limit=SOON)

    with pytest.raises(ExplorationError, match=r"A delivery has not ended after 1\.5 s"):
        overlapped(state, "pay_under_a_hidden_lock", "before gateway: charge(1, key=1)")


def test_a_lock_in_a_class_is_another_one_in_a_process_beside():
    state = script(machine_jobs.pay_under_a_lock)

    overlapped(state, "pay_under_a_lock", "before gateway: charge(1, key=1)")
    assert not machine_jobs.Holder.lock.locked()


def test_what_the_world_keeps_in_a_module_outlives_a_process():
    def world():
        machine_jobs.ledger.clear()
        with contextlib.closing(machine_jobs.shop()) as shop:
            next(shop)
            yield lambda: list(machine_jobs.ledger)

    with script(machine_jobs.record, world=staticmethod(world)) as state:
        state.enqueue("record", 1)
        state.perform("record#1")
        state.restart()

        assert state.state == [1]


def test_a_connection_of_the_world_is_used_by_jobs():
    def world():
        with contextlib.closing(sqlite3.connect(":memory:")) as shared:
            shared.execute("create table profiles (id)")
            patches = Patches()
            patches.set(machine_jobs, "shared", shared)
            yield lambda: shared.execute("select * from profiles").fetchall()
            patches.restore()

    with script(machine_jobs.remember_the_shared, world=staticmethod(world)) as state:
        state.enqueue("remember_the_shared", 1)
        state.perform("remember_the_shared#1")

        assert state.state == [(1,)]


def test_the_lines_of_a_fake_are_no_points_of_a_child():
    with script(machine_jobs.pay_and_send_receipt) as state:
        state.enqueue("pay_and_send_receipt", 1)
        state.perform("pay_and_send_receipt#1")
        with pytest.raises(ExplorationError) as refused:
            state.crash("send_receipt#1", at="nowhere")

    assert "Gateway" not in str(refused.value)


def test_what_a_job_enqueues_is_pending():
    with script(machine_jobs.pay_and_send_receipt) as state:
        state.enqueue("pay_and_send_receipt", 1)
        state.perform("pay_and_send_receipt#1")
        state.crash("send_receipt#1", at="after gateway: charge('receipt 1') in send_receipt")
        state.perform("send_receipt#1")

        assert state.state["charges"] == [1, "receipt 1", "receipt 1"]


def test_a_coroutine_is_killed():
    with script(machine_jobs.pay_in_a_coroutine) as state:
        state.enqueue("pay_in_a_coroutine", 1)
        state.crash("pay_in_a_coroutine#1", at="after gateway: charge(1) in pay_in_a_coroutine")

        assert state.state["charges"] == [1]

    assert state.at_the_end["charges"] == [1, 1]


def test_a_job_that_never_succeeds_is_poison():
    with (
        pytest.raises(PoisonJob, match=r"fail_for_ever#1 is never done: its last 4 .*'broken'"),
        script(machine_jobs.fail_for_ever) as state,
    ):
        state.enqueue("fail_for_ever", 1)


def test_an_error_that_is_accepted_ends_a_job():
    with script(machine_jobs.fail_for_ever, accept=(ValueError,)) as state:
        state.enqueue("fail_for_ever", 1)


def test_a_job_that_enqueues_itself_for_ever():
    with (
        pytest.raises(ExplorationError, match=r"After 1000 more deliveries .* again#1001 among"),
        script(machine_jobs.again) as state,
    ):
        state.enqueue("again", 1)


def test_a_point_that_a_delivery_does_not_come_to():
    with script(machine_jobs.pay) as state:
        state.enqueue("pay", 1)
        with pytest.raises(ExplorationError) as refused:
            state.crash("pay#1", at="nowhere in pay")

    lines = str(refused.value).splitlines()
    assert lines[0].startswith("pay#1 did not come to 'nowhere in pay'")
    assert "  after gateway: charge(1) in pay" in lines


def test_a_delivery_that_waits_for_what_the_dead_hold(monkeypatch):
    monkeypatch.setattr(machine_jobs.Holder, "hidden", (threading.Lock(),))
    job = "pay_under_a_hidden_lock"
    with script(machine_jobs.pay_under_a_hidden_lock, time_limit=SOON) as state:
        state.enqueue(job, 1)
        state.crash(f"{job}#1", at=f"after gateway: charge(1, key=1) in {job}")
        with pytest.raises(ExplorationError, match=r"A delivery has not ended after 1\.5 s"):
            state.perform(f"{job}#1")


def test_a_lock_in_a_class_that_the_dead_hold_is_free_in_the_next_process():
    with script(machine_jobs.pay_under_a_lock) as state:
        state.enqueue("pay_under_a_lock", 1)
        state.crash("pay_under_a_lock#1", at="after gateway: charge(1, key=1) in pay_under_a_lock")
        state.perform("pay_under_a_lock#1")

    assert not machine_jobs.Holder.lock.locked()


def test_rules_of_ones_own_may_enqueue():
    class Own(JobMachine):
        world = staticmethod(machine_jobs.shop)

        @rule()
        def buy(self):
            machine_jobs.send_receipt.perform_later(7)

        def settled(self):
            self.at_the_end = self.state

    with Own() as state:
        state.buy()

    assert state.at_the_end["charges"] == ["receipt 7"]
