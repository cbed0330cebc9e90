"""`assert_enqueued(count=n)` passes if and only if plain Python counts n."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st

from pytest_jobs import Job, job, open_jobs
from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Pay(Job):
    def perform(self, amount, currency="EUR"):
        pass


class PayNow(Pay):
    priority = 1


@job(queue="mailers")
def send(amount, currency="EUR"):
    pass


amounts = st.integers(0, 2)
currencies = st.sampled_from(["EUR", "USD"])
queues = st.sampled_from(["default", "mailers", "low"])
waits = st.sampled_from([None, 0, 0.5, 2, 60])
JOBS = [Pay, PayNow, send]

enqueues = st.fixed_dictionaries(
    {"job": st.sampled_from(JOBS), "amount": amounts},
    optional={
        "currency": currencies,
        "queue": queues,
        "priority": st.integers(0, 2),
        "wait": waits,
    },
)
questions = st.fixed_dictionaries(
    {"job": st.sampled_from(JOBS)},
    optional={
        "args": st.tuples(amounts),
        "kwargs": st.fixed_dictionaries({"currency": currencies}),
        "params": st.fixed_dictionaries({}, optional={"amount": amounts, "currency": currencies}),
        "queue": queues,
        "priority": st.none() | st.integers(0, 2),
        "wait": waits,
        "first": st.integers(0, 4),
    },
)


def carry_out(enqueue):
    options = {name: enqueue[name] for name in ("queue", "priority", "wait") if name in enqueue}
    keywords = {"currency": enqueue["currency"]} if "currency" in enqueue else {}
    enqueue["job"].set(**options).perform_later(enqueue["amount"], **keywords)


def fits(enqueue, position, question):
    """Say in plain Python whether an enqueue is what the question asks for."""
    named = {"amount": enqueue["amount"], "currency": enqueue.get("currency", "EUR")}
    queue = enqueue.get("queue", "mailers" if enqueue["job"] is send else "default")
    priority = enqueue.get("priority", 1 if enqueue["job"] is PayNow else None)
    wait, asked_wait = enqueue.get("wait"), question.get("wait")
    one_is_none = wait is None or asked_wait is None
    wait_fits = wait is asked_wait if one_is_none else abs(wait - asked_wait) <= 1
    call = None
    if "args" in question or "kwargs" in question:
        call = {"currency": "EUR", **question.get("kwargs", {})}
        call["amount"] = question["args"][0]
    return (
        enqueue["job"] is question["job"]
        and (call is None or named == call)
        and named == {**named, **question.get("params", {})}
        and ("queue" not in question or queue == question["queue"])
        and ("priority" not in question or priority == question["priority"])
        and ("wait" not in question or wait_fits)
        and position >= question.get("first", 0)
    )


def passes(assertion, *arguments, **criteria):
    try:
        assertion(*arguments, **criteria)
    except AssertionError:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(st.lists(enqueues, max_size=6), questions, st.integers(0, 6))
def test_a_number_is_admitted_exactly_when_it_is_right(recorded, question, guess):
    if "kwargs" in question:
        question.setdefault("args", (1,))
    expected = sum(fits(enqueue, at, question) for at, enqueue in enumerate(recorded))
    criteria = {name: value for name, value in question.items() if name not in ("job", "first")}
    with open_jobs() as jobs:
        jobs.clock.move_to(NOON + timedelta(days=3650))
        for enqueue in recorded:
            carry_out(enqueue)
        if "first" in question:
            criteria["within"] = list(jobs.enqueued)[question["first"] :]
        for count in {expected, guess}:
            passed = passes(AssertEnqueued(), question["job"], **criteria, count=count)

            assert passed == (count == expected)

        assert passes(AssertNotEnqueued(), question["job"], **criteria) == (expected == 0)
