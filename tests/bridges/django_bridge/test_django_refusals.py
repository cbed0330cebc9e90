"""What a backend does not support is refused as it refuses it without the bridge."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

REFUSALS = {
    "run_after without defer": lambda tasks: tasks.reach.using(run_after=NOON),
    "run_after on immediate": lambda tasks: tasks.hurry.using(run_after=NOON),
    "priority": lambda tasks: tasks.reach.using(priority=1),
    "async": lambda tasks: tasks.nap.using(backend="unreachable"),
    "an unknown queue": lambda tasks: tasks.reach.using(queue_name="nowhere"),
    "an unknown backend": lambda tasks: tasks.reach.using(backend="nowhere"),
    "a priority out of range": lambda tasks: tasks.add.using(priority=101),
    "a naive time": lambda tasks: tasks.add.using(run_after=NOON.replace(tzinfo=None)),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_it_is_refused_with_the_words_of_the_backend(bridge, tasks, what, request):
    with pytest.raises(Exception, match=r"\w") as without:
        REFUSALS[what](tasks)
    jobs = request.getfixturevalue("jobs")
    with pytest.raises(Exception, match=r"\w") as within:
        REFUSALS[what](tasks)

    assert type(within.value) is type(without.value)
    assert str(within.value) == str(without.value)
    assert jobs.enqueued == []


def test_a_task_of_another_backend_is_refused_at_enqueue(jobs, tasks, task_backends):
    later = tasks.add.using(run_after=NOON + timedelta(days=1))
    with pytest.raises(Exception, match="Backend does not support run_after"):
        task_backends["immediate"].enqueue(later, [1], {})

    assert jobs.enqueued == []


def test_a_backend_without_results_goes_on_to_have_none(jobs, tasks):
    result = tasks.hurry.enqueue(1)
    jobs.drain()

    with pytest.raises(NotImplementedError, match="does not support retrieving"):
        result.refresh()
