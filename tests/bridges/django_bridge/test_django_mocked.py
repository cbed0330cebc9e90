"""A mock in the place of `enqueue` is named where the task is missing."""

from unittest.mock import patch

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from pytest_jobs.assertions.asserts import AssertEnqueued


@pytest.mark.parametrize("method", ["enqueue", "aenqueue"])
def test_a_mock_in_the_place_of_the_method_that_enqueues_is_named(jobs, tasks, method):
    with patch.object(type(tasks.add), method), pytest.raises(AssertionError) as caught:
        AssertEnqueued(lambda: jobs)(tasks.add)

    assert f"add.{method} is a" in str(caught.value)
    assert "Mock: it enqueues nothing." in str(caught.value)
