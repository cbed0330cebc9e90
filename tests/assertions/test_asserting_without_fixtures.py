"""The assertions can be imported, for other test runners and for scripts."""

import pytest
from asserting import NEGATIVE, POSITIVE
from tables import each_row

import pytest_jobs
import pytest_jobs.types
from pytest_jobs import Job, open_jobs
from pytest_jobs.errors import NoHarnessError

NAMES = [*POSITIVE, *NEGATIVE]


class Pay(Job):
    def perform(self, payment_id):
        return payment_id * 2


def test_they_look_at_the_harness_that_is_open():
    with open_jobs() as jobs:
        Pay.perform_later(7)

        assert pytest_jobs.assert_enqueued(Pay) is jobs.enqueued[0]
        pytest_jobs.assert_not_performed(Pay)

        jobs.drain()

        assert pytest_jobs.assert_performed(Pay, result=14) is jobs.performed[0]


def test_they_look_at_the_innermost():
    with open_jobs():
        Pay.perform_later(1)
        with open_jobs():
            Pay.perform_later(2)

            assert pytest_jobs.assert_enqueued(Pay).args == (2,)

        assert pytest_jobs.assert_enqueued(Pay).args == (1,)


def test_the_fixture_looks_at_its_own_harness(jobs, assert_enqueued):
    Pay.perform_later(1)
    with open_jobs():
        Pay.perform_later(2)

        assert assert_enqueued(Pay).args == (1,)


@each_row("name", NAMES)
def test_without_a_harness_they_say_how_to_open_one(name):
    with pytest.raises(NoHarnessError) as caught:
        getattr(pytest_jobs, name)(Pay)

    assert str(caught.value) == (
        "No harness is open.\n"
        "\n"
        "Ask for the `jobs` fixture in this test, or open one with `with pytest_jobs.open_jobs():`."
    )


@pytest.mark.parametrize("name", NAMES)
def test_they_print_as_their_name(request, name):
    assert repr(getattr(pytest_jobs, name)) == f"<{name}>"
    assert repr(request.getfixturevalue(name)) == f"<{name}>"


@pytest.mark.parametrize("name", NAMES)
def test_their_class_is_public_for_annotations(request, name):
    public = getattr(pytest_jobs.types, "".join(word.capitalize() for word in name.split("_")))

    assert type(getattr(pytest_jobs, name)) is public
    assert type(request.getfixturevalue(name)) is public
