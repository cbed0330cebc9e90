"""Group E: what ActiveJob's tests expect of counting the jobs that were enqueued."""

from enum import StrEnum

import pytest

from pytest_jobs import Job, job


class Greet(Job):
    def perform(self, *names, loud=False):
        return names, loud


class Note(Job):
    def perform(self):
        pass


@job
def log(text="a line"):
    return text


class Queues(StrEnum):
    DEFAULT = "default"


# A window counts what is enqueued inside it


def test_e1_a_window_counts_its_own_jobs(jobs, assert_enqueued):
    with jobs.capture() as first:
        Greet.perform_later("one")
    with jobs.capture() as second:
        Greet.perform_later("two")
        Greet.perform_later("three")

    assert (len(first), len(second)) == (1, 2)
    assert assert_enqueued(Greet, within=first).args == ("one",)
    assert_enqueued(Greet, count=2, within=second)


def test_e1_a_window_counts_jobs_that_were_performed_inside_it(jobs, assert_enqueued):
    with jobs.capture() as sent:
        Greet.perform_later()
        jobs.drain()

    assert_enqueued(Greet, within=sent)


def test_e1_the_error_of_a_window_is_the_one_that_was_raised(jobs):
    with pytest.raises(ZeroDivisionError), jobs.capture():
        1 / 0  # noqa: B018


# What came before it is not counted


def test_e2_a_job_before_the_window_does_not_count(jobs, assert_enqueued, failure):
    Greet.perform_later("before")
    with jobs.capture() as sent:
        Greet.perform_later("inside")

    assert failure(assert_enqueued, Greet, count=2, within=sent).splitlines() == [
        "Expected exactly 2 Greet enqueued inside `within`",
        "but 1 matches:",
        "  #1 Greet('inside') queue='default'",
        "",
        (
            "Hint: #0 Greet('before') matches, but lies outside of `within`: was it enqueued before or "
            "after the window?"
        ),
        "",
        "Next: look at jobs.enqueued and jobs.deliveries for what there is, or correct the number.",
        "See: docs/reference/messages.md#too-few-match",
    ]


# Nothing was enqueued


def test_e4_nothing_was_enqueued(jobs, assert_not_enqueued):
    with jobs.capture() as sent:
        pass

    assert_not_enqueued()
    assert_not_enqueued(within=sent)
    assert_not_enqueued(Greet)


def test_e4_performing_now_enqueues_nothing(jobs, assert_not_enqueued):
    with jobs.capture() as sent:
        assert Greet.perform_now("Ann", "Bob", loud=True) == (("Ann", "Bob"), True)

    assert_not_enqueued(within=sent)
    assert jobs.enqueued == []


# Another number


@pytest.mark.parametrize(
    ("expected", "enqueued", "lines"),
    [
        (2, 1, ["Expected exactly 2 Note enqueued", "but 1 matches:"]),
        (1, 2, ["Expected exactly 1 Note enqueued", "but 2 match:"]),
        (0, 1, ["Expected exactly 0 Note enqueued", "but 1 matches:"]),
    ],
)
def test_e5_another_number_says_both(jobs, assert_enqueued, failure, expected, enqueued, lines):
    for _ in range(enqueued):
        Note.perform_later()

    assert failure(assert_enqueued, Note, count=expected).splitlines()[:2] == lines


def test_e5_too_many_are_listed_themselves(jobs, assert_enqueued, failure):
    Greet.perform_later("one")
    Note.perform_later()
    Greet.perform_later("two")

    assert failure(assert_enqueued, Greet).splitlines()[:4] == [
        "Expected exactly 1 Greet enqueued",
        "but 2 match:",
        "  #0 Greet('one') queue='default'",
        "  #2 Greet('two') queue='default'",
    ]


def test_e5_one_where_none_was_expected_is_shown(jobs, assert_not_enqueued, failure):
    Note.perform_later()

    assert failure(assert_not_enqueued).splitlines()[:3] == [
        "Expected no job enqueued",
        "but 1 was enqueued:",
        "  #0 Note() queue='default'",
    ]


# All but some


def other_than(*left_out):
    return lambda record: record.job not in left_out


def test_e7_all_but_a_job_are_told_by_where(jobs, assert_not_enqueued, failure):
    Greet.perform_later()
    Note.perform_later()
    Note.perform_later()

    assert_not_enqueued(where=other_than(Greet, Note))
    assert failure(assert_not_enqueued, where=other_than(Note)).splitlines()[2:4] == [
        "but 1 was enqueued:",
        "  #0 Greet() queue='default'",
    ]


def test_e7_a_view_can_be_counted_by_hand(jobs):
    for enqueued in (Greet, Note, Note):
        enqueued.perform_later()

    assert [record.job for record in jobs.enqueued if record.job is not Note] == [Greet]


# Some, and all but some


@pytest.mark.parametrize("enqueued", [(), (Greet,), (Greet, Note, log, Note, Greet)])
@pytest.mark.parametrize("queue", [{}, {"queue": "default"}])
@pytest.mark.parametrize("left_out", [Note, [Note, log]])
def test_e8_an_assertion_has_no_filter_to_leave_jobs_out(
    jobs, assert_enqueued, assert_not_enqueued, refusal, enqueued, queue, left_out
):
    for each in enqueued:
        each.perform_later()

    for assertion in (assert_enqueued, assert_not_enqueued):
        assert "knows no criterion 'exclude'" in refusal(
            assertion, Greet, exclude=left_out, **queue
        )


@pytest.mark.parametrize("several", [False, True])
def test_e8_of_a_verb_all_filters_must_hold(jobs, several):
    for each in (Greet, Note, log):
        each.perform_later()

    only, exclude = ([Greet, Note], [Note]) if several else (Greet, Note)
    jobs.drain(only=only, exclude=exclude)

    assert [delivery.record.job for delivery in jobs.performed] == [Greet]


# A job, and a queue


def test_e10_a_job_in_a_queue(jobs, assert_enqueued):
    Greet.set(queue="some").perform_later("meant")
    Greet.set(queue="other").perform_later()
    Note.perform_later()

    assert assert_enqueued(Greet, queue="some").args == ("meant",)


def test_e10_all_but_a_job_in_a_queue(jobs, assert_not_enqueued, failure):
    Greet.set(queue="some").perform_later()
    Greet.set(queue="other").perform_later()
    Note.set(queue="some").perform_later()

    assert_not_enqueued(queue="some", where=other_than(Greet, Note))
    assert failure(assert_not_enqueued, queue="some", where=other_than(Note)).splitlines()[3:5] == [
        "but 1 was enqueued:",
        "  #0 Greet() queue='some'",
    ]


# A queue


def test_e11_a_queue_may_be_named_by_an_enum(jobs, assert_enqueued, assert_not_enqueued):
    for queue in ("default", "default", "other", "other"):
        Greet.set(queue=queue).perform_later()

    assert len(assert_enqueued(Greet, queue=Queues.DEFAULT, count=2)) == 2
    assert len(assert_enqueued(Greet, queue="default", count=2)) == 2
    assert_not_enqueued(queue="mailers")


# Another number of a job among others


def test_e12_other_jobs_do_not_make_up_for_it(jobs, assert_enqueued, failure):
    Greet.perform_later("one")
    for _ in range(4):
        Note.perform_later()

    assert failure(assert_enqueued, Greet, count=5).splitlines()[:3] == [
        "Expected exactly 5 Greet enqueued",
        "but 1 matches:",
        "  #0 Greet('one') queue='default'",
    ]


def test_e12_only_other_jobs_are_counted_in_the_message(jobs, assert_enqueued, failure):
    Note.perform_later()
    Note.perform_later()

    assert failure(assert_enqueued, Greet, count=1).splitlines()[:2] == [
        "Expected exactly 1 Greet enqueued",
        "but no Greet was enqueued, only other jobs: 2 Note.",
    ]
