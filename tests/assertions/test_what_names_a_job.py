"""A job is named by its class, its function, its `later` twin, or its full name as text."""

import pytest
from asserting import NEGATIVE, POSITIVE

from pytest_jobs import Job, job, later, reference
from pytest_jobs.errors import CriterionError


class Pay(Job):
    def perform(self, payment_id):
        pass


@job(queue="mailers")
def send_receipt(order_id, copy=True):
    pass


@job
async def sync(page):
    pass


@reference(id="number", find="find")
class Order:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return cls(number)

    def __eq__(self, other):
        return isinstance(other, Order) and self.number == other.number

    def __hash__(self):
        return hash(self.number)

    def ship(self, carrier="post"):
        return f"{self.number} by {carrier}"

    ship_later = later(ship, queue="shipping")


def test_a_job_function_names_its_jobs(jobs, assert_enqueued):
    send_receipt.perform_later(7)

    assert assert_enqueued(send_receipt, params={"copy": True}).job is send_receipt


def test_the_class_behind_a_job_function_names_them_too(jobs, assert_enqueued):
    send_receipt.perform_later(7)

    assert_enqueued(send_receipt.job_class)


def test_a_coroutine_function_names_its_jobs(jobs, assert_enqueued, assert_performed):
    sync.perform_later(7)
    assert_enqueued(sync, args=(7,))
    jobs.drain()

    assert_performed(sync, args=(7,))


def test_a_later_twin_names_its_jobs(jobs, assert_enqueued, assert_performed):
    Order(5).ship_later("courier")

    assert assert_enqueued(Order.ship_later, queue="shipping").job is Order.ship_later

    jobs.drain()

    assert assert_performed(Order.ship_later).result == "5 by courier"


def test_the_twin_of_one_record_names_the_jobs_of_all(jobs, assert_enqueued):
    Order(5).ship_later()

    assert_enqueued(Order(6).ship_later)


def test_the_record_is_the_first_argument_of_a_later_twin(jobs, assert_enqueued, failure):
    Order(5).ship_later("courier")
    Order(6).ship_later()

    assert assert_enqueued(Order.ship_later, args=(Order(5), "courier")).sequence == 0
    assert assert_enqueued(Order.ship_later, args=(Order(6),)).sequence == 1
    assert assert_enqueued(Order.ship_later, params={"record": Order(6)}).sequence == 1
    assert "Expected exactly 1 Order.ship_later enqueued" in failure(
        assert_enqueued, Order.ship_later
    )


def test_the_full_name_names_a_class(jobs, assert_enqueued, assert_performed):
    Pay.perform_later(7)

    assert assert_enqueued(f"{__name__}.Pay", args=(7,)).job is Pay

    jobs.drain()

    assert_performed(f"{__name__}.Pay", params={"payment_id": 7})


def test_the_full_name_names_a_function_and_a_twin(jobs, assert_enqueued):
    send_receipt.perform_later(7)
    Order(5).ship_later()

    assert_enqueued(f"{__name__}.send_receipt")
    assert_enqueued(f"{__name__}.Order.ship_later")


def test_a_name_is_short_in_messages(jobs, assert_enqueued, failure):
    assert failure(assert_enqueued, f"{__name__}.Pay").splitlines()[1] == (
        "Expected exactly 1 Pay enqueued"
    )


def _in_no_module():
    def plain(payment_id):
        pass

    return plain


#: A function that no library takes for a job: a worker could not import it.
plain = _in_no_module()


CALLED = " Was it called? A call runs a job at once and gives its result: name the job itself."


@pytest.mark.parametrize(
    "name", ["assert_enqueued", "assert_not_enqueued", "assert_not_performed", "assert_failed"]
)
@pytest.mark.parametrize("thing", [plain, print, int, Order, 7, None.__class__])
def test_what_is_no_job_is_refused(jobs, request, refusal, name, thing):
    shown = f"The function {__name__}.{plain.__qualname__}" if thing is plain else repr(thing)

    assert refusal(request.getfixturevalue(name), thing) == (
        f"{shown} is not a job: pass a task of a captured library, a class derived from Job, "
        "a function under @job, or a `later` twin." + (CALLED if thing == 7 else "")
    )


def test_a_requested_run_is_no_job(jobs, assert_not_enqueued, refusal):
    requested = Pay.perform_later(7)

    assert refusal(assert_not_enqueued, requested).startswith("<Pay(7) job_id=")


@pytest.mark.parametrize("name", ["no.such.JobOfNobody", ""])
def test_an_unknown_name_is_refused(jobs, assert_not_enqueued, refusal, name):
    assert refusal(assert_not_enqueued, name) == (
        f"No job is named {name!r} here: give the full name, or the job itself, without calling it."
    )


@pytest.mark.parametrize("name", [f"{__name__}.Payy", f"{__name__}.Pya"])
def test_a_name_that_is_nearly_one_names_it(jobs, assert_not_enqueued, refusal, name):
    assert refusal(assert_not_enqueued, name) == (
        f"No job is named {name!r} here: did you mean '{__name__}.Pay'? Give the full "
        "name, or the job itself."
    )


def test_a_base_without_perform_has_no_jobs(jobs, assert_not_enqueued):
    class Base(Job):
        queue = "slow"

    assert_not_enqueued(Base)


@pytest.mark.parametrize("name", POSITIVE)
def test_none_is_refused_and_not_read_as_any_job(jobs, request, refusal, name):
    Pay.perform_later(7)
    jobs.drain()

    assert refusal(request.getfixturevalue(name), None) == (
        "None is not a job: the variable was never set, or the job was called, which runs it at once. Pass the "
        "job itself, a class, a function or a task."
    )


@pytest.mark.parametrize("name", NEGATIVE)
def test_none_is_refused_and_not_read_as_every_job(jobs, request, refusal, name):
    assert refusal(request.getfixturevalue(name), None) == (
        "None is not a job: the variable was never set, or the job was called, which runs it at once. Pass the "
        "job itself, a class, a function or a task. "
        f"To ask about every job, write {name}() without a job."
    )


def test_none_is_refused_in_a_list_of_jobs(
    jobs, assert_enqueued_in_order, assert_batched, assert_followed_by, refusal
):
    for check, asked in (
        (assert_enqueued_in_order, ([None],)),
        (assert_batched, ([None],)),
        (assert_followed_by, (None, [Pay])),
    ):
        assert refusal(check, *asked).startswith("None is not a job: ")


def test_none_is_refused_by_a_fault(jobs):
    with pytest.raises(CriterionError, match=r"^None is not a job: "):
        jobs.fail(None, raising=ValueError())


@pytest.mark.parametrize("several", [[Pay, sync], (Pay, sync), {Pay}])
def test_several_jobs_at_once_are_refused(jobs, assert_enqueued, refusal, several):
    kind = type(several).__name__

    assert refusal(assert_enqueued, several) == (
        f"assert_enqueued() looks for one job and got a {kind} of {len(several)}: call it once for each job, or "
        "write assert_enqueued_in_order([...]) for all that was enqueued, in order."
    )


@pytest.mark.parametrize("name", ["assert_performed", "assert_not_enqueued"])
def test_several_jobs_at_once_are_refused_where_nothing_asks_for_an_order(
    jobs, request, refusal, name
):
    assert refusal(request.getfixturevalue(name), [Pay]) == (
        f"{name}() looks for one job and got a list of 1: call it once for each job."
    )
