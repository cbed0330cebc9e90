"""Group M: what the tests of rspec-rails expect of matching jobs by their arguments."""

from unittest.mock import ANY

import pytest
from dirty_equals import HasAttributes, IsPartialDict, IsStr

from pytest_jobs import Job, open_jobs, reference
from pytest_jobs.errors import NoAdapterError, NoHarnessError, SignatureError


class Hello(Job):
    def perform(self, *args):
        pass


class Other(Job):
    def perform(self, *args):
        pass


class Two(Job):
    def perform(self, first, second, *, third=None):
        pass


@reference(id="id", find="find")
class Account:
    gone = ()

    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        if id in cls.gone:
            raise LookupError(id)
        return cls(id)


# Arguments


def test_m9_arguments_are_compared(jobs, assert_enqueued, assert_not_enqueued):
    Hello.perform_later(42, "David", {"a": 1})

    assert_enqueued(Hello, args=[42, "David", {"a": 1}])
    assert_not_enqueued(Hello, args=[42, "David"])
    assert_not_enqueued(Hello, args=["David", 42, {"a": 1}])


def test_m9_records_and_matchers_are_compared_at_any_depth(jobs, assert_enqueued):
    Hello.perform_later(Account(7), "David", {"a": 1, "b": [2, "c"]})

    assert_enqueued(
        Hello, args=[HasAttributes(cls=Account), IsStr(regex="D.*"), IsPartialDict(b=[ANY, "c"])]
    )
    assert_enqueued(Hello, args=[Account(7), ANY, ANY])


@pytest.mark.parametrize("expected", [[None], [False], [[]], [{}]])
def test_m9_an_empty_value_is_an_expectation(jobs, assert_not_enqueued, assert_enqueued, expected):
    Hello.perform_later(42)
    assert_not_enqueued(Hello, args=expected)

    Hello.perform_later(*expected)
    assert_enqueued(Hello, args=expected)


def test_m9_no_arguments_are_an_expectation(jobs, assert_not_enqueued, assert_enqueued):
    Hello.perform_later(42)
    assert_not_enqueued(Hello, args=[])
    assert_not_enqueued(Hello, kwargs={})

    Hello.perform_later()
    assert_enqueued(Hello, args=[], kwargs={})


def test_m9_a_list_is_not_its_elements(jobs, assert_not_enqueued):
    Hello.perform_later([1, 2])

    assert_not_enqueued(Hello, args=[1, 2])


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ([1], {}, "missing 1 required positional argument: 'second'"),
        ([1, 2, 3], {}, "takes 2 positional arguments but 3 were given"),
        ([1, 2], {"fourth": 4}, "got an unexpected keyword argument 'fourth'"),
    ],
)
def test_m9_a_call_that_the_job_cannot_take_is_refused_on_both_sides(
    jobs, assert_not_enqueued, refusal, args, kwargs, said
):
    with pytest.raises(SignatureError, match=said):
        Two.perform_later(*args, **kwargs)

    assert said in refusal(assert_not_enqueued, Two, args=args, kwargs=kwargs)


def test_m9_a_parameter_that_does_not_exist_is_refused(jobs, assert_not_enqueued, refusal):
    assert refusal(assert_not_enqueued, Two, params={"fourth": 4}).startswith(
        "Two has no parameter 'fourth'"
    )


# No harness


def test_m11_without_a_harness_the_error_says_how_to_get_one():
    from pytest_jobs import assert_enqueued

    with pytest.raises(NoHarnessError) as raised:
        assert_enqueued(Hello)
    assert "Ask for the `jobs` fixture in this test" in str(raised.value)

    with pytest.raises(NoAdapterError) as raised:
        Hello.perform_later()
    assert "In a test, ask for the `jobs` fixture" in str(raised.value)

    with open_jobs():
        Hello.perform_later()
        assert assert_enqueued(Hello).args == ()


# A function that asserts


def test_m12_the_failure_of_a_function_is_the_one_that_is_shown(jobs, assert_enqueued):
    Hello.perform_later("asdf", "zxcv")

    def check(record):
        assert record.args == ("asdf", "qwer"), "no qwer"

    with pytest.raises(AssertionError, match="no qwer"):
        assert_enqueued(Hello, where=check)


def test_m12_the_function_sees_what_the_job_will_get(jobs, assert_enqueued):
    Hello.perform_later(Account(42), {"at": (1, 2)}, "text")

    def check(record):
        account, times, text = record.args
        return account == Account(42) and times == {"at": (1, 2)} and text == "text"

    assert_enqueued(Hello, where=check)


def test_m12_the_function_is_asked_only_of_what_matches_otherwise(jobs, assert_enqueued, failure):
    Hello.perform_later("a")
    Hello.set(queue="low").perform_later("b")
    Other.set(queue="low").perform_later("c")
    asked = []

    def check(record):
        asked.append(record.args[0])
        return True

    assert_enqueued(Hello, queue="low", where=check)
    assert asked == ["b"]

    failure(assert_enqueued, Hello, queue="high", where=check)
    assert asked == ["b"]


def test_m12_a_job_that_cannot_be_read_is_no_match_and_no_error(
    jobs, assert_enqueued, assert_not_enqueued, monkeypatch
):
    Hello.perform_later(Account(21))
    Hello.perform_later(Account(42))
    monkeypatch.setattr(Account, "gone", (21,))

    assert_enqueued(Hello, args=[Account(42)])
    jobs.drain(raise_errors=False)
    assert [delivery.status for delivery in jobs.deliveries] == ["failed", "performed"]


# The whole test, and not a block


def test_m14_without_a_window_the_whole_test_counts(
    noon, jobs, assert_enqueued, assert_not_enqueued, failure
):
    assert_not_enqueued(Hello)
    Hello.perform_later(1)
    with jobs.capture():
        Hello.set(queue="low", wait=60).perform_later(2)

    assert len(assert_enqueued(Hello, count=2)) == 2
    assert assert_enqueued(Hello, queue="low", wait=60).args == (2,)
    assert "but 2 match:" in failure(assert_enqueued, Hello)
    assert "but 2 were enqueued:" in failure(assert_not_enqueued, Hello)


def test_m14_a_call_that_the_job_cannot_take_is_refused_there_too(jobs, assert_enqueued, refusal):
    Two.perform_later(1, 2)

    assert "missing 1 required positional argument" in refusal(assert_enqueued, Two, args=[1])
