"""Every failed assertion says what was expected, what was found, and what to do next."""

import pytest
from situations import NOON, SITUATIONS

from pytest_jobs import open_jobs


@pytest.fixture(params=SITUATIONS)
def situation(request):
    return SITUATIONS[request.param]


@pytest.fixture
def message(situation):
    """Return the message with which the assertion fails."""
    arrange, _ = situation
    with open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        with pytest.raises(AssertionError) as caught:
            arrange(jobs)
    return str(caught.value)


def test_the_whole_message_is_as_written_down(situation, message):
    _, text = situation

    assert message == text


def test_it_is_ascii(message):
    assert message.isascii()


def test_it_has_at_most_25_lines(message):
    assert len(message.splitlines()) <= 25


def test_it_begins_with_what_was_expected_and_ends_with_what_to_do(message):
    first, *_, last = message.splitlines()

    assert first.startswith("Expected ")
    assert last.startswith("Next: ")
    assert last.endswith(".")


def test_there_are_at_least_25_situations():
    assert len(SITUATIONS) >= 25
