"""What comes after a Celery task, and what was enqueued together with it."""

import pytest
from celery import chain, chord, group

from pytest_jobs import job
from pytest_jobs.assertions.several import AssertBatched, AssertFollowedBy
from pytest_jobs.errors import CriterionError


@job
def of_the_core(): ...


@pytest.fixture
def followed(jobs):
    return AssertFollowedBy(lambda: jobs)


@pytest.fixture
def batched(jobs):
    return AssertBatched(lambda: jobs)


@pytest.fixture
def tasks(app):
    def make(name):
        @app.task(name=f"shop.tasks.{name}")
        def task(*args): ...

        return task

    return [make(name) for name in ("fetch", "resize", "index", "publish")]


def refused(call, *args, **kwargs):
    with pytest.raises(AssertionError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_the_steps_of_a_chain_follow_in_order_also_when_the_first_has_been_performed(
    jobs, tasks, followed
):
    fetch, resize, index, publish = tasks
    chain(fetch.si(7), resize.si(), index.si(), publish.si()).delay()

    assert followed(fetch, [resize, index, publish], params={"args": (7,)}).args == (7,)
    jobs.perform_due(children=False)
    followed(resize, [index, publish])


def test_groups_chains_and_callbacks_follow_as_lists_and_tuples(jobs, tasks, followed):
    fetch, resize, index, publish = (task.si for task in tasks)
    first, second, third, last = tasks
    linked = resize()
    linked.link(index())
    group_in_a_chain = chain(fetch(), group(resize(1), index(), resize(2)), publish())
    group_of_chains = fetch() | group(chain(resize(), index()), publish())
    called_back = fetch().set(link=[resize(), chain(index(), publish())])
    for canvas, expected in (
        (group_in_a_chain, [[third, second, second], last]),
        (group_of_chains, [[last, (second, third)]]),
        (called_back, [[second, (third, last)]]),
        (chain(fetch(), linked, publish()), [second, third, last]),
        (fetch(), []),
    ):
        with jobs.capture() as sent:
            canvas.delay()
        followed(first, expected, within=sent)


def test_the_body_of_a_chord_follows_upon_its_header(jobs, tasks, followed, batched):
    fetch, resize, _, publish = tasks
    chord([fetch.si(1), fetch.si(2), resize.si()])(publish.si())

    records = batched([resize, fetch, fetch], then=[publish])

    assert [record.args for record in records] == [(1,), (2,), ()]
    followed(resize, [publish])


def test_what_is_performed_is_what_was_said_to_follow(jobs, tasks, followed):
    fetch, resize, index, publish = tasks
    chain(fetch.si(), group(resize.si(), index.si()), publish.si()).delay()
    followed(fetch, [[resize, index], publish])

    jobs.drain()

    assert [d.record.job for d in jobs.performed] == [fetch, resize, index, publish]


def test_another_chain_is_shown_beside_the_expected_one(jobs, tasks, followed):
    fetch, resize, index, publish = tasks
    chain(fetch.si(7), resize.si(), publish.si()).delay()

    assert refused(followed, fetch, [[resize, (index, resize)], publish]) == (
        "fetch(7) is followed by resize -> publish, not by [index -> resize, resize] -> publish.\n"
        "It is #0 fetch(7) queue='celery'\n"
        "\n"
        "Next: correct the code that enqueues it, or the list; a list inside it stands for what begins together, "
        "a tuple inside that for a chain.\n"
        "See: python -m pytest_jobs explain another-chain"
    )
    assert "not by publish -> resize.\n" in refused(followed, fetch, [publish, resize])
    assert refused(followed, index, [resize]).startswith(
        "No index was enqueued, only other jobs: 1 fetch.\nExpected exactly 1 index enqueued\n"
    )


def test_a_group_is_a_batch_and_of_two_a_window_tells(jobs, tasks, batched):
    fetch, resize, *_ = tasks
    group(fetch.s(1), resize.s(), fetch.s(2)).delay()
    assert len(batched([fetch, fetch, resize], then=[])) == 3

    group(fetch.s(1), fetch.s(2)).delay()
    with jobs.capture() as sent:
        group(fetch.s(3), fetch.s(4)).delay()

    assert "2 batches are such." in refused(batched, [fetch, fetch])
    assert batched([fetch, fetch], within=sent) == tuple(sent)


def test_another_batch_is_listed_and_without_any_it_says_so(jobs, tasks, batched):
    fetch, resize, _, publish = tasks
    after = (
        "\n"
        "Next: correct the code that enqueues it, or the list; narrow it with within=.\n"
        "See: python -m pytest_jobs explain no-such-batch"
    )
    fetch.delay()
    assert refused(batched, [fetch]) == (
        f"Nothing was enqueued as a batch.\nExpected exactly 1 batch enqueued, of\n  1 fetch\n{after}"
    )

    group(fetch.s(1), resize.s()).delay()
    chord([fetch.si(1), fetch.si(2)])(publish.si())
    assert refused(batched, [fetch, fetch], then=[resize]) == (
        "No batch has just 2 fetch, then resize.\n"
        "Expected exactly 1 batch enqueued, of\n"
        "  2 fetch, then resize\n"
        "\n"
        "Batches enqueued:\n"
        "  1 fetch, 1 resize\n"
        f"  2 fetch, then publish\n{after}"
    )


def test_the_core_has_no_chains(jobs, followed, batched):
    for call in (lambda: followed(of_the_core, []), lambda: batched([of_the_core])):
        with pytest.raises(CriterionError) as caught:
            call()
        assert str(caught.value) == (
            "of_the_core is a job of core, which has no chains and no batches: a job enqueues what follows "
            "itself. Perform it, and look for that: assert_enqueued(..., within=delivery.enqueued)."
        )


def test_what_are_no_steps_is_refused(jobs, tasks, followed, batched):
    fetch, *_ = tasks
    with pytest.raises(CriterionError, match="is not a list of steps"):
        followed(fetch, "resize")
    with pytest.raises(CriterionError, match="is given no list of jobs"):
        batched([])
