"""A view that has no item at a place says what to do; iterating over an empty one is plain."""

import pytest

from pytest_jobs import Job
from pytest_jobs.errors import ForeignNameError, NoSuchItemError

VIEWS = (
    "enqueued pending scheduled blocked locks kept_out events deliveries performed retried discarded failed dead "
    "waiting_for_commit dropped_by_rollback"
)


class Note(Job):
    def perform(self, text=""):
        pass


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ("enqueued", "Make sure that the code which enqueues the job ran before."),
        (
            "pending",
            "Nothing waits to be performed; jobs.enqueued has every job, performed or not.",
        ),
        ("scheduled", "No pending job is due later; jobs.pending has those that are due now too."),
        ("deliveries", "No job was performed; call jobs.drain() first."),
        (
            "performed",
            "No job succeeded; call jobs.drain() first, or see in jobs.deliveries what became of it.",
        ),
        (
            "failed",
            "No job ended in failure; jobs.deliveries has every attempt, jobs.pending what is to come.",
        ),
        ("waiting_for_commit", "Nothing waits for a commit; jobs.enqueued has what was enqueued."),
    ],
)
def test_an_empty_view_says_where_to_look(jobs, view, why):
    with pytest.raises(IndexError) as caught:
        getattr(jobs, view)[0]

    assert type(caught.value) is NoSuchItemError
    assert str(caught.value) == f"jobs.{view}[0] does not exist: jobs.{view} is empty. {why}"


def test_every_view_does(jobs):
    for view in VIEWS.split():
        with pytest.raises(NoSuchItemError, match=f"jobs.{view} is empty"):
            getattr(jobs, view)[-1]


def test_an_empty_capture_does_and_a_view_that_is_shorter_says_how_long_it_is(jobs):
    with jobs.capture() as sent:
        pass
    Note.perform_later("a")
    Note.perform_later("b")

    for view, place, said in (
        (
            sent,
            0,
            (
                "sent[0] does not exist: sent is empty. Nothing was enqueued inside the block; jobs.enqueued has "
                "what was enqueued outside."
            ),
        ),
        (
            jobs.pending,
            2,
            "jobs.pending[2] does not exist: there are only 2 items. print(jobs.pending) shows all.",
        ),
    ):
        with pytest.raises(NoSuchItemError) as caught:
            view[place]
        assert str(caught.value) == said


@pytest.mark.parametrize(("name", "place"), [("first", 0), ("last", -1)])
def test_the_words_of_other_libraries_name_the_place(jobs, name, place):
    with pytest.raises(AttributeError) as caught:
        getattr(jobs.pending, name)

    assert type(caught.value) is ForeignNameError
    assert str(caught.value) == (
        f"jobs.pending is a sequence without .{name}: write jobs.pending[{place}]."
    )


def test_any_other_attribute_is_missing_as_usual(jobs):
    with pytest.raises(AttributeError, match=r"^'View' object has no attribute 'size'$"):
        jobs.pending.size  # noqa: B018


def test_an_empty_view_is_iterated_and_sliced_as_any_sequence(jobs):
    assert ([*jobs.pending], jobs.pending[:1], next(iter(jobs.pending), "none")) == ([], (), "none")
