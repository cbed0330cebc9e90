"""`jobs.fail` makes deliveries of a job raise, inside the library's retry handling."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

from contextlib import nullcontext

import pytest
from tables import each_row

from pytest_jobs import Job, discard_on, job, later, reference, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import CriterionError, UnusedFaultError


class Unavailable(Exception):
    pass


@retry_on(Unavailable, wait=10, attempts=4)
class Charge(Job):
    def perform(self, amount=1):
        self.charged.append(amount)
        return amount


class ChargeTwice(Charge):
    pass


@retry_on(Unavailable, wait=10, attempts=4)
class Coroutine(Job):
    async def perform(self, amount=1):
        Charge.charged.append(amount)
        return amount


class Note(Job):
    def perform(self):
        pass


@pytest.fixture(autouse=True)
def charged():
    Charge.charged = []
    return Charge.charged


def statuses(jobs):
    return [delivery.status for delivery in jobs.deliveries]


KINDS = pytest.mark.parametrize("kind", [Charge, Coroutine])


@KINDS
def test_a_fault_without_a_number_makes_every_delivery_fail(jobs, charged, kind):
    jobs.fail(kind, raising=Unavailable("down"))
    kind.perform_later()
    with pytest.raises(Unavailable, match=r"^down$"):
        jobs.drain()

    assert statuses(jobs) == ["retried", "retried", "retried", "exhausted"]
    assert charged == []


@KINDS
@pytest.mark.parametrize(
    "which",
    [{"times": 2}, *({"on": on} for on in ([1], (1,), {1}, range(1, 2), {1: "a"}))],
    ids=repr,
)
def test_times_counts_deliveries_and_on_the_attempts_of_each_job(jobs, charged, kind, which):
    jobs.fail(kind, raising=Unavailable, **which)
    kind.perform_later(7)
    kind.perform_later(8)
    jobs.drain()

    assert statuses(jobs) == ["retried", "retried", "performed", "performed"]
    assert charged == [7, 8]


@KINDS
def test_on_names_the_attempts_that_fail(jobs, charged, kind):
    jobs.fail(kind, raising=Unavailable("odd"), on=[1, 3])
    jobs.fail(kind, raising=Unavailable("even"), on=[2])
    kind.perform_later(7)
    jobs.drain()

    assert statuses(jobs) == ["retried", "retried", "retried", "performed"]
    assert [str(delivery.error) for delivery in jobs.retried] == ["odd", "even", "odd"]
    assert charged == [7]


@KINDS
def test_after_lets_the_body_run_before_the_error(jobs, charged, kind):
    jobs.fail(kind, raising=Unavailable("reply lost"), times=1, after=True)
    kind.perform_later(7)
    jobs.drain()

    assert statuses(jobs) == ["retried", "performed"]
    assert str(jobs.retried[0].error) == "reply lost"
    assert charged == [7, 7]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_after_does_not_hide_an_error_of_the_body(jobs, asynchronous):
    class Fail(Job):
        if asynchronous:

            async def perform(self):
                raise KeyError("own")
        else:

            def perform(self):
                raise KeyError("own")

    jobs.fail(Fail, raising=Unavailable, after=True)
    Fail.perform_later()

    with pytest.raises(KeyError, match="own"):
        jobs.drain()


@pytest.mark.parametrize("error", [Unavailable("down"), AssertionError("down")])
def test_an_error_without_a_rule_fails_the_job_and_a_rule_may_discard_it(jobs, error):
    @discard_on(Unavailable)
    class Dropped(Note):
        pass

    for kind in (Dropped, Note):
        jobs.fail(kind, raising=error if kind is Note else Unavailable)
        kind.perform_later()
    with pytest.raises(type(error), match=r"^down$"):
        jobs.drain()

    assert statuses(jobs) == ["discarded", "failed"]


def test_a_rule_for_the_cause_of_the_error_holds(jobs):
    error = RuntimeError("could not charge")
    error.__cause__ = Unavailable("down")
    jobs.fail(Charge, raising=error, times=2)
    Charge.perform_later()
    jobs.drain()

    assert statuses(jobs) == ["retried", "retried", "performed"]
    assert [str(delivery.error.__cause__) for delivery in jobs.retried] == ["down", "down"]


def test_an_error_that_was_raised_before_is_raised_clean(jobs):
    error = Unavailable("down")
    try:
        try:
            raise KeyError
        except KeyError:
            raise error  # noqa: B904
    except Unavailable:
        pass
    jobs.fail(Charge, raising=error, times=1)
    Charge.perform_later()
    jobs.perform_due()

    assert jobs.retried[0].error is error
    assert error.__context__ is None


def test_a_fault_holds_for_the_very_class_and_makes_an_error_for_each_delivery(jobs, charged):
    jobs.fail(ChargeTwice, raising=Unavailable, times=2)
    Charge.perform_later(1)
    ChargeTwice.perform_later(2)
    jobs.drain()

    assert statuses(jobs) == ["performed", "retried", "retried", "performed"]
    first, second = (delivery.error for delivery in jobs.retried)
    assert type(first) is type(second) is Unavailable
    assert first is not second


@job
def send():
    return "sent"


@reference(id="number", find="find")
class Order:
    number = 1

    @classmethod
    def find(cls, number):
        return cls()

    def ship(self):
        pass

    ship_later = later(ship)


@pytest.mark.parametrize(
    ("named", "enqueue"),
    [
        (send, send.perform_later),
        (Order.ship_later, Order().ship_later),
        (f"{__name__}.Note", Note.perform_later),
    ],
    ids=["a function", "a twin", "a name"],
)
def test_a_fault_is_for_each_form_of_a_job(jobs, named, enqueue):
    jobs.fail(named, raising=Unavailable)
    enqueue()

    assert jobs.perform(jobs.pending[0]).status == "failed"
    assert send() == "sent"


def test_the_first_of_two_faults_strikes_until_it_is_spent(jobs):
    jobs.fail(Charge, raising=Unavailable("first"), times=1)
    jobs.fail(Charge, raising=Unavailable("second"), times=1)
    Charge.perform_later()
    jobs.drain()

    assert [str(delivery.error) for delivery in jobs.retried] == ["first", "second"]


@pytest.mark.asyncio
async def test_faults_hold_on_the_loop_of_the_test_and_inline_and_not_for_perform_now(
    jobs, charged
):
    jobs.fail(Coroutine, raising=Unavailable, times=1)
    fault = jobs.fail(Charge, raising=Unavailable, times=1, after=True)
    assert (Charge.perform_now(7), fault.hits) == (7, 0)
    Coroutine.perform_later(7)
    Charge.perform_later(8)
    await jobs.adrain()
    assert statuses(jobs) == ["retried", "retried", "performed", "performed"]
    assert charged == [7, 8, 7, 8]

    jobs.fail(Charge, raising=Unavailable, times=1)
    with jobs.inline():
        Charge.perform_later(7)
        Charge.perform_later(8)
    assert statuses(jobs)[4:] == ["retried", "performed"]


def test_a_fault_counts_its_hits(jobs):
    fault = jobs.fail(Charge, raising=Unavailable("down"), times=2)
    counts = [fault.hits]
    Charge.perform_later()
    for _ in range(3):
        jobs.perform(jobs.pending[0])
        counts.append(fault.hits)

    assert counts == [0, 1, 2, 2]
    assert repr(fault) == f"<Fault {__name__}.Charge Unavailable('down') hits=2>"


@pytest.mark.parametrize("ends", ["the block", "stop"])
def test_a_fault_holds_until_the_end_of_its_block_or_until_it_is_stopped(jobs, charged, ends):
    jobs.clock.freeze()
    Charge.perform_later()
    fault = jobs.fail(Charge, raising=Unavailable)
    with fault if ends == "the block" else nullcontext():
        assert fault.active
        jobs.perform_due()
    if ends == "stop":
        fault.stop()
    jobs.drain()

    assert not fault.active
    assert statuses(jobs) == ["retried", "performed"]


def test_a_fault_that_nothing_met_in_its_block_is_an_error(jobs):
    Charge.perform_later()
    with pytest.raises(UnusedFaultError) as caught, jobs.fail(Charge, raising=Unavailable):
        pass

    assert str(caught.value) == (
        f"jobs.fail({__name__}.Charge) was set up and no delivery ever met it, so the test shows less than it "
        "says: perform the job while the fault holds, or ask for no more than happens."
    )
    assert jobs.drain() == {"performed": 1}


@pytest.mark.parametrize("block", [False, True], ids=["of the test", "of the block"])
def test_an_error_is_not_hidden_by_an_unused_fault(sleepless, block):
    with pytest.raises(KeyError), open_jobs() as jobs:
        fault = jobs.fail(Charge, raising=Unavailable)
        with fault if block else nullcontext():
            raise KeyError
    assert fault.active is not block


@pytest.mark.parametrize(
    ("enqueued", "which", "text"),
    [
        (Charge, {"on": [2, 3]}, "no delivery on attempt 2, 3 ever met it, so the test shows less"),
        (Note, {}, "no delivery ever met it, so the test shows less than it says"),
        (Charge, {"times": 3}, "only 1 of 3 deliveries met it"),
        (Charge, {"on": [1, 4]}, "no delivery on attempt 4 met it"),
    ],
    ids=["other attempts", "another job", "not spent", "one attempt missed"],
)
def test_a_fault_that_is_not_spent_at_the_end_of_the_test_is_an_error(
    sleepless, enqueued, which, text
):
    with pytest.raises(UnusedFaultError) as caught, open_jobs() as jobs:
        jobs.fail(Charge, raising=Unavailable, **which)
        enqueued.perform_later()
        jobs.perform_due()

    assert str(caught.value).startswith(f"jobs.fail({__name__}.Charge) was set up and {text}")


def test_a_fault_whose_block_has_ended_is_not_asked_again_at_the_end(sleepless):
    with (
        open_jobs() as jobs,
        pytest.raises(UnusedFaultError),
        jobs.fail(Charge, raising=Unavailable),
    ):
        pass


_NOT_A_JOB = (
    "{!r} is not a job: pass a task of a captured library, a class derived from Job, a function under @job, or a "
    "`later` twin."
)


@each_row(
    ("given", "text"),
    [
        *(
            (
                {"times": times},
                f"times={times!r} is not a number of deliveries: write an int of at least 1.",
            )
            for times in (0, -1, True, 1.0, "2")
        ),
        *(
            (
                {"on": on},
                f"on={on!r} names no attempts: write their numbers, from 1, as in on=[1, 3].",
            )
            for on in ([], (), [0], [1, -1], [True], ["1"], "13", 3, [1.0])
        ),
        ({"times": 2, "on": [1]}, "times=2 and on=[1] both say which deliveries fail: give one."),
        *(
            (
                {"raising": raising},
                f"raising={raising!r} is not an error: write an exception such as TimeoutError().",
            )
            for raising in ("Unavailable", None, int, 5, [Unavailable])
        ),
        ({"job": Unavailable}, _NOT_A_JOB.format(Unavailable)),
    ],
)
def test_a_fault_that_cannot_be_meant_is_refused_and_not_asked_at_the_end(jobs, given, text):
    kind = given.get("job", Charge)
    options = {"raising": Unavailable, **given}
    options.pop("job", None)
    with pytest.raises(CriterionError) as caught:
        jobs.fail(kind, **options)

    assert str(caught.value) == text
    jobs.check()


class Refused(Exception):
    def __init__(self, status):
        super().__init__(status)


@pytest.mark.parametrize("verb", ["fail", "simulate_retries"])
def test_a_class_that_cannot_be_made_without_arguments_is_refused(jobs, verb):
    with pytest.raises(CriterionError) as caught:
        getattr(jobs, verb)(Charge, raising=Refused)

    assert str(caught.value) == (
        "raising=Refused cannot be made without arguments (TypeError: Refused.__init__() missing 1 required "
        "positional argument: 'status'): write the exception itself, as in raising=Refused(...)."
    )
