"""`assert_enqueued` names a pending job whose code may enqueue the job that is missing."""

import asserting
import pytest

from pytest_jobs import Job, job, later, reference


class SendReceipt(Job):
    def perform(self, order_id):
        pass


class Direct(Job):
    def perform(self, order_id):
        SendReceipt.perform_later(order_id)


class ByMethod(Job):
    def perform(self, order_id):
        self.notify(order_id)

    def notify(self, order_id):
        SendReceipt.set(wait=60).perform_later(order_id)


@job
def by_function(order_id):
    finish(order_id)


def finish(order_id):
    notify(order_id)


def notify(order_id):
    [SendReceipt.perform_later(number) for number in [order_id]]


@job
def by_import(order_id):
    from likely_parents_elsewhere import SendReceipt

    SendReceipt.perform_later(order_id)


@job
def by_name(order_id):
    app.send_task("test_likely_parents.SendReceipt", [order_id])


Receipt = SendReceipt


@job
def by_alias(order_id):
    Receipt.perform_later(order_id)


@job
async def by_coroutine(order_id):
    SendReceipt.perform_later(order_id)


@job
def by_nothing(order_id):
    len(str(order_id))


app = asserting


@reference(id="number", find="find")
class Order:
    number = 5

    @classmethod
    def find(cls, number):
        return cls()

    def ship(self):
        pass

    ship_later = later(ship)


@job
def ship_all():
    Order.find(5).ship_later()


def parents(text):
    return [line for line in text.splitlines() if " is pending and may enqueue it, " in line]


@pytest.mark.parametrize(
    "parent",
    [Direct, ByMethod, by_function, by_import, by_name, by_alias, by_coroutine],
    ids=lambda parent: parent.__name__,
)
def test_a_pending_job_whose_code_mentions_it_is_named(jobs, assert_enqueued, failure, parent):
    parent.perform_later(7)
    text = failure(assert_enqueued, SendReceipt)

    (hint,) = parents(text)
    assert hint == (
        f"Hint: #0 {parent.__name__}(7) is pending and may enqueue it, since its code mentions SendReceipt. Call "
        "jobs.drain() first."
    )
    assert "\nNext: perform what is pending, whose code runs only then: call jobs.drain()" in text


def test_so_it_is_for_a_twin_of_a_method(jobs, assert_enqueued, failure):
    ship_all.perform_later()

    assert "#0 ship_all() is pending and may enqueue it" in failure(
        assert_enqueued, Order.ship_later
    )


def test_an_assertion_about_deliveries_says_it_too(jobs, assert_performed, failure):
    Direct.perform_later(7)

    assert "#0 Direct(7) is pending and may enqueue it" in failure(assert_performed, SendReceipt)


def test_a_job_whose_code_does_not_mention_it_is_not_named(jobs, assert_enqueued, failure):
    by_nothing.perform_later(7)

    assert parents(failure(assert_enqueued, SendReceipt)) == []


def test_nor_is_a_job_that_has_run(jobs, assert_enqueued, failure):
    Direct.perform_later(7)
    jobs.drain()

    assert parents(failure(assert_enqueued, SendReceipt, args=(8,))) == []


def test_of_several_alike_the_first_is_named(jobs, assert_enqueued, failure):
    for order_id in (7, 8, 9):
        Direct.perform_later(order_id)

    (line,) = parents(failure(assert_enqueued, SendReceipt))
    assert line.startswith("Hint: #0 Direct(7) is pending")


def test_a_job_that_enqueued_one_before_is_named_with_what_it_did(jobs, assert_enqueued, failure):
    Direct.perform_later(7)
    jobs.drain(only=Direct)
    Direct.perform_later(8)

    assert parents(failure(assert_enqueued, SendReceipt, count=2)) == [
        "Hint: #2 Direct(8) is pending and may enqueue it, as #0 Direct(7) did. Call jobs.drain() first."
    ]
