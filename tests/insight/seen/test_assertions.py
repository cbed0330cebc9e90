"""Where a test asserts something for the last time."""

import pytest

from pytest_jobs.insight.seen.recorder import last_assertion


def look(value):
    assert value


def only_prepare(value):
    return [value]


def plain(jobs):
    jobs.drain()  # 1
    assert jobs  # 2


def before_alone(jobs, assert_enqueued):
    assert_enqueued("mail")  # 1
    jobs.drain()


def by_a_fixture(jobs, assert_performed):
    jobs.drain()
    assert_performed("mail")  # 2
    only_prepare(jobs)


def in_a_loop(jobs):
    for _ in range(2):
        assert jobs  # 2
        jobs.drain()  # 3


def around_a_block(jobs):
    with pytest.raises(OSError, match="no"):
        jobs.drain()  # 2


def by_a_helper(jobs):
    jobs.drain()
    look(jobs)  # 2


class TestIt:
    def check(self, value):
        look(value)

    def by_a_method(self, jobs):
        jobs.drain()
        self.check(jobs)  # 2


def never(jobs):
    jobs.drain()
    only_prepare(jobs)


def recursive(jobs):
    recursive(jobs)


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (plain, 2),
        (before_alone, 1),
        (by_a_fixture, 2),
        (in_a_loop, 3),
        (around_a_block, 2),
        (by_a_helper, 2),
        (TestIt.by_a_method, 2),
        (never, None),
        (recursive, None),
        (len, None),
        (eval("lambda: None"), None),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_last_line_is_that_of_an_assertion_or_of_what_repeats_or_surrounds_one(test, line):
    expected = 0 if line is None else test.__code__.co_firstlineno + line

    assert last_assertion(test) == expected
