"""Queues with weights: each is taken from as often as its weight says, by draws that repeat."""

from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from pytest_jobs import Queues, job, load_queues, open_jobs

WEIGHTS = {"critical": 6, "default": 3, "low": 1}


@job
def tick(number: int) -> None: ...


def taken(queues, *, jobs_each, at_most=None, names=None):
    """Return from which queues jobs were taken, in order, every one of them having as many."""
    with open_jobs() as jobs:
        jobs.serve(queues)
        for number in range(jobs_each):
            for name in names or queues.names:
                tick.set(queue=name).perform_later(number)
        jobs.drain(at_most=at_most)
        return [delivery.record.queue for delivery in jobs.deliveries]


def test_each_queue_has_a_share_of_its_weight():
    counts = Counter(taken(Queues(WEIGHTS), jobs_each=1000, at_most=1000))

    assert counts == {"critical": 597, "default": 299, "low": 104}


weights = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 10), min_size=2, max_size=4
)


@pytest.mark.slow
@settings(derandomize=True, max_examples=15)
@given(weights, st.integers(0, 2**32))
def test_shares_are_near_the_weights_whatever_the_seed(weights, seed):
    draws = 400
    counts = Counter(taken(Queues(weights, seed=seed), jobs_each=draws, at_most=draws))
    total = sum(weights.values())

    for name, weight in weights.items():
        share = weight / total
        deviation = (draws * share * (1 - share)) ** 0.5
        assert abs(counts[name] - draws * share) <= 6 * deviation


@pytest.mark.wide
@settings(derandomize=True)
@given(weights, st.integers(0, 2**32))
def test_the_same_seed_draws_the_same(weights, seed):
    first = taken(Queues(weights, seed=seed), jobs_each=10)

    assert taken(Queues(weights, seed=seed), jobs_each=10) == first
    assert Counter(first) == dict.fromkeys(weights, 10)


def test_the_draws_begin_anew_when_it_is_said_again(jobs):
    def round_of_draws():
        jobs.serve(Queues(WEIGHTS))
        for name in WEIGHTS:
            for number in range(5):
                tick.set(queue=name).perform_later(number)
        before = len(jobs.deliveries)
        jobs.drain()
        return [delivery.record.queue for delivery in jobs.deliveries[before:]]

    assert round_of_draws() == round_of_draws()


def test_the_draws_do_not_touch_those_of_the_test():
    import random

    random.seed(3)
    first = random.random()
    random.seed(3)
    taken(Queues(WEIGHTS), jobs_each=10)

    assert random.random() == first


def test_no_queue_starves_and_only_those_with_due_jobs_are_drawn():
    order = taken(Queues(WEIGHTS), jobs_each=100)

    assert order.index("low") < 60
    assert set(order[-20:]) <= {"default", "low"}
    assert taken(Queues(WEIGHTS), jobs_each=20, names=["low"]) == ["low"] * 20
    assert taken(Queues(WEIGHTS), jobs_each=10) != taken(Queues(WEIGHTS, seed=1), jobs_each=10)
    of_one = taken(Queues({"a": 1, "b": 1}), jobs_each=200, at_most=200)
    assert 70 < Counter(of_one)["a"] < 130


def test_within_a_queue_the_order_stays(jobs):
    jobs.serve(Queues(WEIGHTS))
    for number in range(20):
        for name in WEIGHTS:
            tick.set(queue=name, priority=number % 2).perform_later(number)
    jobs.drain()
    even_then_odd = [*range(0, 20, 2), *range(1, 20, 2)]

    for name in WEIGHTS:
        mine = [d.record.args[0] for d in jobs.deliveries if d.record.queue == name]
        assert mine == even_then_odd


@pytest.mark.parametrize(
    "listed", ["[[critical, 6], [default, 3], low]", "['critical,6', 'default,3', low]"]
)
def test_a_file_draws_as_its_weights_in_python(write, listed):
    queues = load_queues(write("sidekiq.yml", f":queues: {listed}\n"))

    assert taken(queues, jobs_each=30) == taken(Queues(WEIGHTS), jobs_each=30)


def test_several_workers_draw_too(jobs):
    jobs.serve(Queues(WEIGHTS))
    for number in range(50):
        for name in WEIGHTS:
            tick.set(queue=name).perform_later(number)
    jobs.drain(workers=3, at_most=50)
    counts = Counter(delivery.record.queue for delivery in jobs.deliveries)

    assert counts["critical"] > counts["default"] > counts["low"] > 0
