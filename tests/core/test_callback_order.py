"""Callbacks form one chain in the order of their declaration, parents first."""

import pytest

from pytest_jobs import (
    Job,
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
)

ENQUEUE = {"before": before_enqueue, "around": around_enqueue, "after": after_enqueue}
PERFORM = {"before": before_perform, "around": around_perform, "after": after_perform}


def _callback(declare, name):
    def plain(self):
        self.calls.append(name)

    def around(self):
        self.calls.append(f"{name}_in")
        yield
        self.calls.append(f"{name}_out")

    return declare(around if declare in (around_enqueue, around_perform) else plain)


def _job(declarations, declare, base=Job):
    """Return a job class with callbacks in this order: b.. before, ar.. around, a.. after."""
    kinds = {"b": "before", "ar": "around", "a": "after"}
    body = {
        name: _callback(declare[kinds[name.rstrip("0123456789")]], name) for name in declarations
    }
    return type("Ordered", (base,), {"calls": [], "perform": _perform, **body})


def _perform(self):
    self.calls.append("perform")


ORDERS = [
    (
        ["b1", "b2", "ar1", "ar2", "a1", "a2"],
        ["b1", "b2", "ar1_in", "ar2_in", "perform", "a2", "a1", "ar2_out", "ar1_out"],
    ),
    (["a1", "ar1", "b1"], ["ar1_in", "b1", "perform", "ar1_out", "a1"]),
    (["ar1", "b1", "ar2", "a1"], ["ar1_in", "b1", "ar2_in", "perform", "a1", "ar2_out", "ar1_out"]),
    (["b2", "b1"], ["b2", "b1", "perform"]),
    (["a1", "a2"], ["perform", "a2", "a1"]),
    ([], ["perform"]),
]


@pytest.mark.parametrize(("declarations", "order"), ORDERS)
def test_callbacks_run_in_the_order_of_their_declaration(adapter, declarations, order):
    performed, enqueued = _job(declarations, PERFORM), _job(declarations, ENQUEUE)
    take = adapter.enqueue
    adapter.enqueue = lambda payload: [enqueued.calls.append("perform"), take(payload)]

    performed.perform_now()

    assert enqueued.perform_later().enqueued
    assert performed.calls == enqueued.calls == order


def test_the_callbacks_of_a_parent_are_the_outer_ones():
    parent = _job(["b1", "ar1", "a1"], PERFORM)
    child = _job(["b2", "ar2", "a2"], PERFORM, base=parent)

    parent.perform_now()
    child.perform_now()

    assert parent.calls == ["b1", "ar1_in", "perform", "a1", "ar1_out"]
    assert child.calls == [
        "b1",
        "ar1_in",
        "b2",
        "ar2_in",
        "perform",
        "a2",
        "ar2_out",
        "a1",
        "ar1_out",
    ]


def test_enqueue_callbacks_do_not_run_around_perform_and_the_other_way_round(adapter):
    job = _job(["b1"], PERFORM, base=_job(["b2"], ENQUEUE))

    job.perform_later()
    enqueued = list(job.calls)
    adapter.perform_due()

    assert enqueued == ["b2"]
    assert job.calls == ["b2", "b1", "perform"]


def test_a_method_may_be_several_callbacks_and_after_enqueue_runs_when_it_was_handed_over(adapter):
    class Note(Job):
        calls = []  # noqa: RUF012

        @before_enqueue
        @after_enqueue
        @before_perform
        def note(self):
            self.calls.append((self.enqueued, self.payload))

        def perform(self):
            pass

    payload = Note.perform_later().payload
    adapter.perform_due()

    assert Note.calls == [(False, None), (True, payload), (True, payload)]


def test_callbacks_know_the_arguments_of_the_job_and_what_they_make_of_them_is_enqueued(adapter):
    class Look(Job):
        calls = []  # noqa: RUF012

        @before_enqueue
        @before_perform
        def look(self):
            self.calls.append((self.args, dict(self.kwargs), self.attempt))
            self.args = (self.args[0] + (2,),)
            self.kwargs = {"second": "replaced"}

        def perform(self, first, *, second):
            return first, second

    Look.perform_later((1,), second=2)
    (execution,) = adapter.perform_due()

    assert Look.calls == [(((1,),), {"second": 2}, 1), (((1, 2),), {"second": "replaced"}, 1)]
    assert execution.result[1] == "replaced"
