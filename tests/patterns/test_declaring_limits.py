"""Limits that cannot be meant are refused when they are declared."""

import pytest
from tables import each_row

from pytest_jobs import Job, job, limits_concurrency, unique
from pytest_jobs.errors import DeclarationError, WaitError


def a_job(): ...


@each_row(
    ("declare", "message"),
    [
        *(
            (
                lambda to=to: limits_concurrency(to=to),
                f"limits_concurrency(to={to!r}) is not a number of jobs at once: write an int of at least 1.",
            )
            for to in (0, -1, True, 1.5, "2", None)
        ),
        (
            lambda: limits_concurrency(on_conflict="blocks"),
            (
                "limits_concurrency(on_conflict='blocks') is not a way to deal with a job beyond the limit: did "
                "you mean 'block'? There are block, discard."
            ),
        ),
        (
            lambda: limits_concurrency(duration=0),
            (
                "limits_concurrency(duration=0) limits nothing, since each place would end as it begins: write "
                "how long a job may take at most."
            ),
        ),
        (lambda: limits_concurrency(group=7), "limits_concurrency(group=7) names nothing"),
        (
            lambda: limits_concurrency()(limits_concurrency(to=2)(job(a_job))),
            "a_job is declared @limits_concurrency twice",
        ),
        (lambda: limits_concurrency()(int), "@limits_concurrency decorates <class 'int'>"),
        *(
            (
                lambda given=given: limits_concurrency(given),
                (
                    f"limits_concurrency({given!r}) is given something without a name: write "
                    "@limits_concurrency() above the job, or @limits_concurrency(to=2, key='user_id')."
                ),
            )
            for given in (job(a_job), a_job, 2)
        ),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(declare, message):
    with pytest.raises(DeclarationError) as caught:
        declare()

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("duration", [-1, "3m", None])
def test_what_is_no_duration_is_refused(duration):
    with pytest.raises(WaitError, match=r"^duration (is|must be) "):
        limits_concurrency(duration=duration)


def test_a_key_that_is_no_parameter_is_refused_with_the_nearest_one():
    with pytest.raises(DeclarationError) as caught:

        @limits_concurrency(key=("acount",))
        @job
        def load(account): ...

    assert str(caught.value) == (
        "limits_concurrency(key='acount') names no parameter of "
        "test_a_key_that_is_no_parameter_is_refused_with_the_nearest_one.<locals>.load: did you mean 'account'? "
        "Its parameters: account."
    )


def test_a_key_is_checked_in_a_class_that_inherits_it():
    @limits_concurrency(key=lambda account: account)
    class Base(Job): ...

    with pytest.raises(DeclarationError, match="does not take them: too many positional arguments"):

        class Child(Base):
            def perform(self, account, month): ...


def test_what_one_base_declares_does_not_hide_what_the_other_does(jobs):
    @unique(key="account", until="executing")
    class Once(Job): ...

    @limits_concurrency(key="account")
    class OneAtATime(Job): ...

    class Load(Once, OneAtATime):
        def perform(self, account): ...

    Load.perform_later(7)
    second = Load.perform_later(7)

    assert second.dropped_for == jobs.enqueued[0].job_id
    assert {lock.kind for lock in jobs.locks} == {"unique", "limit"}
