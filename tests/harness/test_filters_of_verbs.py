"""`only`, `exclude` and `queue` say which of the pending jobs a verb performs."""

import asyncio
import re

import pytest
from tables import each_row

from pytest_jobs import Job, job, later, reference, retry_on
from pytest_jobs.errors import CriterionError, NothingMatchedError


class Pay(Job):
    queue = "payments"

    def perform(self, amount):
        pass


class PayTwice(Pay):
    pass


class Mail(Job):
    queue = "mailers"

    def perform(self, to):
        pass


@job(queue="low")
def tidy(what):
    pass


@reference(id="number", find="find")
class Order:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return cls(number)

    def ship(self):
        pass

    ship_later = later(ship)


class Fail(Job):
    def perform(self, what):
        raise ValueError(what)


@pytest.fixture
def pending(jobs):
    """Have six jobs pending: #0 pays, #1 mails, #2 pays, #3 tidies, #4 mails, #5 pays twice."""
    Pay.perform_later(1)
    Mail.perform_later("ann")
    Pay.perform_later(2)
    tidy.perform_later("desk")
    Mail.perform_later("bob")
    PayTwice.perform_later(3)
    return jobs


WAITING = "2 Pay in 'payments', 2 Mail in 'mailers', 1 tidy in 'low', 1 PayTwice in 'payments'"


def performed(tally):
    return [delivery.record.sequence for delivery in tally.deliveries]


def left(jobs):
    return [record.sequence for record in jobs.pending]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"only": Pay}, [0, 2]),
        ({"only": tidy}, [3]),
        ({"only": [Mail, tidy]}, [1, 3, 4]),
        ({"only": (Mail,)}, [1, 4]),
        ({"only": {Mail, PayTwice}}, [1, 4, 5]),
        ({"only": f"{__name__}.Mail"}, [1, 4]),
        ({"only": [f"{__name__}.Mail", tidy]}, [1, 3, 4]),
        ({"only": lambda record: record.args[0] in (1, "bob")}, [0, 4]),
        ({"exclude": Pay}, [1, 3, 4, 5]),
        ({"exclude": [Pay, PayTwice]}, [1, 3, 4]),
        ({"exclude": lambda record: record.queue == "mailers"}, [0, 2, 3, 5]),
        ({"queue": "mailers"}, [1, 4]),
        ({"queue": ["low", "mailers"]}, [1, 3, 4]),
        ({"queue": iter(["low"])}, [3]),
        ({"only": [Pay, Mail], "exclude": lambda record: record.args == (1,)}, [1, 2, 4]),
        ({"only": Pay, "exclude": tidy, "queue": {"payments"}}, [0, 2]),
    ],
)
def test_the_filters_of_drain(pending, filters, expected):
    tally = pending.drain(**filters)

    assert performed(tally) == expected
    assert left(pending) == [number for number in range(6) if number not in expected]


@pytest.mark.parametrize("filters", [{"only": Pay}, {"queue": "payments", "exclude": PayTwice}])
def test_the_others_are_performed_in_their_order_afterwards(pending, filters):
    pending.drain(**filters)

    assert performed(pending.drain()) == [1, 3, 4, 5]


def test_a_subclass_is_another_job_and_a_later_twin_can_be_named(pending):
    Order(1).ship_later()

    assert performed(pending.drain(only=PayTwice)) == [5]
    assert performed(pending.drain(only=Order.ship_later)) == [6]


def test_the_others_stand_where_they_stood_when_the_verb_raises(jobs):
    Mail.perform_later("ann")
    Fail.perform_later("first")
    Mail.perform_later("bob")
    Fail.perform_later("second")
    Mail.perform_later("cid")
    with pytest.raises(ValueError, match=r"^first$"):
        jobs.drain(only=Fail)
    with pytest.raises(ValueError, match=r"^second$"):
        jobs.drain(only=Fail)

    assert left(jobs) == [0, 2, 4]
    assert performed(jobs.drain()) == [0, 2, 4]


def test_children_and_retries_are_filtered_too(jobs):
    @retry_on(ValueError, attempts=2)
    @job
    def parent():
        Mail.perform_later("ann")
        raise ValueError

    parent.perform_later()

    assert jobs.drain(only=parent, raise_errors=False) == {"retried": 1, "exhausted": 1}
    assert [record.job for record in jobs.pending] == [Mail, Mail]


def test_the_clock_does_not_jump_to_what_is_filtered_out(jobs, noon):
    Mail.set(wait=10).perform_later("ann")
    Pay.perform_later(1)
    jobs.drain(only=Pay)

    assert jobs.clock.now() == noon


def test_a_filter_is_asked_again_when_the_job_is_due(jobs, noon):
    Mail.set(wait=10).perform_later("ann")
    Pay.set(wait=20).perform_later(1)
    tally = jobs.drain(only=lambda record: (record.due_at - noon).total_seconds() == 20)

    assert performed(tally) == [1]
    assert left(jobs) == [0]


@pytest.mark.parametrize(
    ("filters", "described"),
    [
        ({"only": Order.ship_later}, f"only={Order.ship_later!r}"),
        ({"queue": "urgent"}, "queue='urgent'"),
        ({"only": Pay, "queue": "low"}, f"only={Pay!r}, queue='low'"),
        ({"exclude": Pay, "queue": "urgent"}, f"exclude={Pay!r}, queue='urgent'"),
    ],
)
@pytest.mark.parametrize("verb", ["drain", "perform_due", "run_for"])
def test_filters_that_match_nothing_are_an_error_that_lists_what_is_pending(
    pending, verb, filters, described
):
    before = pending.clock.now()
    arguments = (60,) if verb == "run_for" else ()
    with pytest.raises(NothingMatchedError) as caught:
        getattr(pending, verb)(*arguments, **filters)

    due = " that is due" if verb == "perform_due" else ""
    assert str(caught.value) == (
        f"jobs.{verb}({described}) matches no pending job{due}, so it would have done nothing. Pending: "
        f"{WAITING}."
    )
    assert left(pending) == [0, 1, 2, 3, 4, 5]
    assert not pending.clock.frozen
    assert pending.clock.now() >= before


def test_to_exclude_every_job_that_is_pending_is_no_error(pending):
    assert pending.drain(exclude=[Pay, PayTwice, Mail, tidy]) == {}
    assert left(pending) == [0, 1, 2, 3, 4, 5]


def test_perform_due_says_when_what_matches_is_not_due_and_drain_that_nothing_is_pending(jobs):
    with pytest.raises(NothingMatchedError) as nothing:
        jobs.drain(only=Pay)
    Pay.set(wait=10).perform_later(1)
    Mail.perform_later("ann")
    with pytest.raises(NothingMatchedError) as caught:
        jobs.perform_due(only=Pay)

    assert str(nothing.value) == (
        f"jobs.drain(only={Pay!r}) matches no pending job, so it would have done nothing. Pending: nothing."
    )
    assert str(caught.value) == (
        f"jobs.perform_due(only={Pay!r}) matches no pending job that is due, so it would have done nothing. "
        "Pending: 1 Pay in 'payments' due later, 1 Mail in 'mailers'."
    )


def test_a_filter_that_matches_only_what_is_due_after_until_is_no_error(jobs, noon):
    Pay.set(wait=10).perform_later(1)

    assert jobs.drain(only=Pay, until=noon) == {}
    assert jobs.run_for(5, only=Pay) == {}
    assert left(jobs) == [0]


class Unrelated:
    pass


_JOBS = "name a job, a list of jobs, or write a callable that takes a record."


@each_row(
    ("filters", "text"),
    [
        *(
            ({name: wanted}, f"{name}={wanted!r} is not a job: {_JOBS}")
            for name in ("only", "exclude")
            for wanted in (Unrelated, 5, "nowhere.Nothing")
        ),
        (
            {"only": [Pay, Unrelated]},
            (
                f"{Unrelated!r} is not a job: pass a task of a captured library, a class derived from Job, a "
                "function under @job, or a `later` twin."
            ),
        ),
        ({"only": [Pay.perform_later]}, "Pay.perform_later is a method of a job: name Pay itself."),
        ({"only": ["Pay"]}, "No job is named 'Pay' here: "),
        *(
            (
                {"queue": queue},
                f"queue={queue!r} names no queue: write a name such as 'mailers', or several in a list.",
            )
            for queue in (5, b"low", ["low", None])
        ),
    ],
)
def test_what_names_no_jobs_cannot_be_a_filter(pending, filters, text):
    with pytest.raises(CriterionError, match=f"^{re.escape(text)}"):
        pending.drain(**filters)

    assert left(pending) == [0, 1, 2, 3, 4, 5]


def test_a_filter_that_raises_loses_nothing(pending):
    def only(record):
        if record.sequence == 3:
            raise KeyError("no")
        return record.job is Pay

    with pytest.raises(KeyError):
        pending.drain(only=only)

    assert performed_so_far(pending) == [0, 2]
    assert left(pending) == [1, 3, 4, 5]
    assert performed(pending.drain()) == [1, 3, 4, 5]


def performed_so_far(jobs):
    return [delivery.record.sequence for delivery in jobs.performed]


VERBS = {
    "perform_due": lambda jobs, **filters: jobs.perform_due(**filters),
    "drain": lambda jobs, **filters: jobs.drain(**filters),
    "run_for": lambda jobs, **filters: jobs.run_for(1, **filters),
    "inline": lambda jobs, **filters: jobs.inline(**filters),
    "aperform_due": lambda jobs, **filters: asyncio.run(jobs.aperform_due(**filters)),
    "adrain": lambda jobs, **filters: asyncio.run(jobs.adrain(**filters)),
    "arun_for": lambda jobs, **filters: asyncio.run(jobs.arun_for(1, **filters)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_filter_is_refused_with_the_nearest(pending, verb):
    with pytest.raises(CriterionError) as caught:
        VERBS[verb](pending, onyl=Pay)

    assert str(caught.value) == (
        f"Jobs.{verb}() got an unexpected keyword argument 'onyl': write only=."
    )
    assert len(pending.pending) == 6


def test_inline_mode_has_no_limit_to_be_set(pending):
    with pytest.raises(
        TypeError, match=r"Jobs\.inline\(\) got an unexpected keyword argument 'limit'"
    ):
        pending.inline(limit=3)
