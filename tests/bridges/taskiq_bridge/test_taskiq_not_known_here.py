"""A message with a name that no broker knows is marked, with the nearest name; a mocked `kiq` is named."""

from unittest.mock import patch

import pytest
from taskiq.kicker import AsyncKicker

from pytest_jobs.assertions.asserts import AssertEnqueued
from pytest_jobs.errors import CriterionError, UnknownJobError


@pytest.fixture
def send(broker):
    """Return a task."""

    @broker.task(task_name="shop.send_receipt")
    async def send_receipt(order_id: int) -> None:
        pass

    return send_receipt


@pytest.fixture
def sent(jobs, broker, run, send):
    """Send a message whose name is misspelt."""
    run(AsyncKicker("shop.send_reciept", broker, {}).kiq(7))
    return jobs


def test_a_view_marks_it_with_the_nearest(sent):
    assert "send_reciept (not known here, nearest: shop.send_receipt)" in str(sent.pending)


def test_performing_it_is_an_error_that_names_the_nearest(sent):
    with pytest.raises(UnknownJobError, match=r"The nearest name is 'shop\.send_receipt'\.$"):
        sent.drain()


def test_so_is_asking_for_a_name_that_was_never_sent(jobs, send):
    with pytest.raises(CriterionError, match=r"did you mean 'shop\.send_receipt'\?"):
        AssertEnqueued(lambda: jobs)("shop.send_recepit")


def test_a_mock_in_the_place_of_kiq_is_named(jobs, send):
    with patch.object(send, "kiq"), pytest.raises(AssertionError) as caught:
        AssertEnqueued(lambda: jobs)(send)

    assert "send_receipt.kiq is an AsyncMock: it enqueues nothing." in str(caught.value)
