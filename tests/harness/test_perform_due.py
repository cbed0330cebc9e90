"""`jobs.perform_due` performs what is due and lets the clock stand still."""

import pytest

from pytest_jobs import Job, job, retry_on, unique


class Note(Job):
    def perform(self, text):
        pass


@job
def parent(generations):
    Note.perform_later(f"child {generations}")
    if generations:
        parent.perform_later(generations - 1)


@retry_on(ValueError, wait=3)
class Flaky(Job):
    def perform(self):
        raise ValueError


class Fail(Job):
    def perform(self):
        raise ValueError("no")


def calls(deliveries):
    return [(d.record.name.rpartition(".")[2], *d.record.args) for d in deliveries]


def test_what_is_due_is_performed_and_the_rest_waits_for_the_clock(jobs):
    Note.perform_later("now")
    Note.set(wait=10).perform_later("later")
    assert jobs.perform_due() == {"performed": 1}
    assert not jobs.clock.frozen

    jobs.clock.freeze()
    Flaky.perform_later()
    assert jobs.perform_due() == {"retried": 1}
    assert [record.args for record in jobs.pending] == [("later",), ()]
    assert jobs.perform_due() == {}
    jobs.clock.advance(3)
    assert jobs.perform_due() == {"retried": 1}


def test_children_are_performed_too_after_their_parents(jobs):
    parent.perform_later(2)
    Note.perform_later("other")
    jobs.perform_due()

    assert calls(jobs.performed) == [
        ("parent", 2),
        ("Note", "other"),
        ("Note", "child 2"),
        ("parent", 1),
        ("Note", "child 1"),
        ("parent", 0),
        ("Note", "child 0"),
    ]


def test_without_children_one_pass_is_made_over_what_was_due(jobs):
    parent.perform_later(1)
    Note.perform_later("other")
    tally = jobs.perform_due(children=False)

    assert calls(tally.deliveries) == [("parent", 1), ("Note", "other")]
    assert [record.args for record in jobs.pending] == [("child 1",), (0,)]
    assert calls(jobs.perform_due(children=False).deliveries) == [
        ("Note", "child 1"),
        ("parent", 0),
    ]
    assert calls(jobs.perform_due(children=False).deliveries) == [("Note", "child 0")]
    assert jobs.perform_due(children=False) == {}


def test_without_children_the_first_of_them_stand_where_they_stood_when_a_job_fails(jobs):
    parent.perform_later(1)
    Fail.perform_later()
    Note.perform_later("other")
    with pytest.raises(ValueError):
        jobs.perform_due(children=False)
    jobs.perform_due()

    assert calls(jobs.performed) == [
        ("parent", 1),
        ("Note", "other"),
        ("Note", "child 1"),
        ("parent", 0),
        ("Note", "child 0"),
    ]


def test_a_child_with_a_better_priority_waits_too(jobs):
    @job
    def urgent_parent():
        Note.set(priority=-1).perform_later("urgent child")

    urgent_parent.perform_later()
    Note.perform_later("other")
    jobs.perform_due(children=False)

    assert calls(jobs.performed) == [("urgent_parent",), ("Note", "other")]
    assert calls(jobs.perform_due().deliveries) == [("Note", "urgent child")]


@pytest.mark.parametrize("children", [True, False])
def test_a_retry_without_a_wait_is_a_child(jobs, children):
    @retry_on(ValueError, wait=0, attempts=3)
    class AtOnce(Fail):
        pass

    AtOnce.perform_later()
    tally = jobs.perform_due(children=children, raise_errors=False)

    assert tally == ({"retried": 2, "exhausted": 1} if children else {"retried": 1})


def test_a_job_that_fails_raises_its_error_and_the_rest_stays_pending(jobs):
    Note.perform_later("a")
    Fail.perform_later()
    Note.perform_later("b")
    with pytest.raises(ValueError, match=r"^no$"):
        jobs.perform_due()

    assert [record.args for record in jobs.pending] == [("b",)]
    Fail.perform_later()
    assert jobs.perform_due(raise_errors=False) == {"performed": 1, "failed": 1}


def test_filters_hold_for_perform_due(jobs):
    parent.perform_later(0)
    Note.perform_later("a")
    Note.set(queue="low").perform_later("b")

    assert calls(jobs.perform_due(only=Note, queue="low").deliveries) == [("Note", "b")]
    assert calls(jobs.perform_due(exclude=parent).deliveries) == [("Note", "a")]
    assert calls(jobs.perform_due().deliveries) == [("parent", 0), ("Note", "child 0")]


def test_what_is_left_for_the_next_pass_is_pending_meanwhile(jobs):
    @unique("name", on_conflict="replace")
    @job(priority=-1)
    def greet(name, greeting): ...

    @job
    def ask(greeting):
        greet.perform_later("ann", greeting)
        return len(jobs.pending)

    ask.perform_later("hello")
    ask.perform_later("good bye")
    tally = jobs.perform_due(children=False)

    assert [delivery.result for delivery in tally.deliveries] == [2, 1]
    assert [record.args for record in jobs.pending] == [("ann", "good bye")]
